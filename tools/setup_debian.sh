#!/bin/bash
# Installs the real programs that tests use, on Debian or Ubuntu, as root:
#
#   tools/setup_debian.sh           install what is missing
#   tools/setup_debian.sh --check   only say what is there and what is not
#
# Without them `deno task test` still runs: it names each test that it leaves
# out. No service is started, and the machine's own firewall is not touched.
set -euo pipefail

# <program whose presence tells> <package>
PARTS=(
  'mosquitto mosquitto'
  'redis-server redis-server'
  'sshd openssh-server'
  'ssh openssh-client'
  'pg_lsclusters postgresql'
  'rsync rsync'
  'nginx nginx'
  '/usr/lib/nginx/modules/ngx_stream_module.so libnginx-mod-stream'
  'haproxy haproxy'
  'spin spin'
  'python3 python3'
  'gunicorn gunicorn'
  'systemd-socket-activate systemd'
  'ip iproute2'
  'busybox busybox'
  'nft nftables'
  'iptables iptables'
  'ufw ufw'
  'firewall-cmd firewalld'
  'dbus-daemon dbus'
  'conntrack conntrack'
  'arping iputils-arping'
  'ping iputils-ping'
  'faketime faketime'
  'chromium chromium'
  'fish fish'
  'mptcpize mptcpize'
  'zsh zsh'
  'gcc gcc'
  '/usr/include/stdio.h libc6-dev'
)

# Some of them are in folders that an ordinary user's PATH leaves out.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

fail() {
  echo "$1" >&2
  exit 1
}

have() {
  case $1 in
    /*) [[ -e $1 ]] ;;
    *) command -v "$1" > /dev/null ;;
  esac
}

missing=()
for part in "${PARTS[@]}"; do
  read -r program package <<< "$part"
  if have "$program"; then
    [[ ${1-} != --check ]] || echo "present: $package"
  else
    [[ ${1-} != --check ]] || echo "missing: $package"
    missing+=("$package")
  fi
done

case ${1-} in
  --check) exit 0 ;;
  '') ;;
  *) fail "Cannot run $0: unknown argument \"$1\": use --check or nothing" ;;
esac

command -v apt-get > /dev/null && [[ -e /etc/debian_version ]] ||
  fail 'Cannot install the test programs: this is not Debian: install them by hand (see --check)'
((EUID == 0)) ||
  fail 'Cannot install the test programs: this is not root: run it with sudo'

# Debian starts a service as soon as it is installed, and enables it at boot.
# Every package's scripts ask this program first; 101 means "not allowed". The
# one that was there comes back however this script ends; one that a killed
# run left behind is known by its second line.
policy=/usr/sbin/policy-rc.d
aside=$policy.holdfast-aside
mark='# Put here by tools/setup_debian.sh of Holdfast, for as long as it runs.'
restore() {
  if [[ -e $policy ]] && grep -qF "$mark" "$policy"; then rm -f "$policy"; fi
  if [[ -e $aside || -L $aside ]]; then mv -f "$aside" "$policy"; fi
}
restore

# Ubuntu's chromium is a snap, which needs a running snapd.
if [[ $(. /etc/os-release && echo "$ID") == ubuntu ]]; then
  kept=()
  for package in "${missing[@]}"; do
    if [[ $package == chromium ]]; then
      echo 'Not installed: chromium, which is a snap on Ubuntu.'
    else
      kept+=("$package")
    fi
  done
  missing=(${kept[@]+"${kept[@]}"})
fi

if ((${#missing[@]} == 0)); then
  echo 'Every test program is installed already.'
  exit 0
fi

trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [[ -e $policy || -L $policy ]]; then mv "$policy" "$aside"; fi
printf '#!/bin/sh\n%s\nexit 101\n' "$mark" > "$policy"
chmod 755 "$policy"

echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o DPkg::Lock::Timeout=120 update
apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold \
  install --no-install-recommends "${missing[@]}"

# What policy-rc.d does not cover: links that start a service at the next boot.
if [[ -d /run/systemd/system ]]; then
  for package in "${missing[@]}"; do
    case $package in
      haproxy | mosquitto | nginx | postgresql | redis-server | rsync | ufw | firewalld)
        systemctl --quiet disable "$package" || true ;;
      openssh-server) systemctl --quiet disable ssh || true ;;
    esac
  done
fi

echo 'Every test program is installed.'
