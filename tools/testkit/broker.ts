/**
 * Brokers as processes of their own, for the tests of packages: a package's
 * files import each other relatively and everything else by name.
 *
 * @module
 */
export {
  type BrokerProcess,
  startBroker,
  startMosquitto,
} from "../broker/spawn.ts";
