/*
 * Epochs of a session in a fleet: two servers, one store, calls that are lost,
 * late, repeated, and carried out in any order. Checked exhaustively:
 *
 *     spin -a epochs.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E -m100000
 *
 * tests/process/models_test.ts does it, and sees it fail with -DNO_EPOCH (a
 * store that does not compare epochs) and with -DNO_SEQUENCE (one that does not
 * compare the numbers of calls). It mirrors the scripts CLAIM and COMMIT of
 * packages/resume/_redis_scripts.ts, and _journal.ts: one commit of a server is
 * awaited at a time, and one that timed out is made again with a new number.
 */
#define SERVERS 2
#define OPS 2          /* what the client asks for, one after the other */
#define EPOCHS 3
#define CALLS_MAX 3    /* of one server in one epoch */
#define UNDER_WAY 3    /* in sockets, of both servers */

/* the store */
byte epoch = 1;
byte sequence;
byte done;             /* operations whose effect is kept */
byte applied[OPS + 1]; /* how often each took effect */
byte owner[EPOCHS + 1];

/* the client */
byte seen;             /* answers that it has got */
byte at;               /* the server that its transport leads to, from 1 */

/* the servers; a process that does not run for a while is a frozen one */
byte ownEpoch[SERVERS + 1];
byte ownDone[SERVERS + 1];
byte wants[SERVERS + 1];    /* the operation whose commit is awaited, or 0 */
byte lastCall[SERVERS + 1];

chan calls = [UNDER_WAY] of { byte, byte, byte, byte };

proctype Server(byte me) {
  byte found;
  do
  /* The client comes: its session is looked up, and claimed later. */
  :: epoch < EPOCHS ->
     found = epoch;
     if
     :: atomic { found < EPOCHS && epoch == found ->
          epoch = found + 1;
          assert(owner[epoch] == 0);
          owner[epoch] = me;
          sequence = 0;
          ownEpoch[me] = epoch; ownDone[me] = done;
          wants[me] = 0; lastCall[me] = 0; at = me;
          assert(ownDone[me] >= seen) }
     :: found == EPOCHS || epoch != found -> skip /* another was faster */
     fi;
     found = 0
  /* The next operation, read from a transport that may be dead by now. */
  :: atomic { ownEpoch[me] > 0 && wants[me] == 0 && ownDone[me] < OPS &&
       lastCall[me] < CALLS_MAX && nfull(calls) ->
       wants[me] = ownDone[me] + 1; lastCall[me]++;
       calls ! me, ownEpoch[me], lastCall[me], wants[me] }
  /* No answer came in time: it is asked again, and the first may still come. */
  :: atomic { wants[me] > 0 && lastCall[me] < CALLS_MAX && nfull(calls) ->
       lastCall[me]++;
       calls ! me, ownEpoch[me], lastCall[me], wants[me] }
  od /* one that is killed does nothing any more, as one that is frozen */
}

active proctype Store() {
  byte from, under, number, op;
  do
  :: atomic { nempty(calls) -> calls ? from, under, number, op; calls ! from, under, number, op }
  :: atomic { nempty(calls) -> calls ? from, under, number, op;
       if
#ifndef NO_EPOCH
       :: under != epoch ->
          /* Turned away: the server lets go, if it still believes so. */
          if
          :: ownEpoch[from] == under -> ownEpoch[from] = 0; wants[from] = 0
          :: else
          fi
#endif
       :: else ->
          if
#ifndef NO_SEQUENCE
          :: number <= sequence /* carried out too late */
#endif
          :: else ->
             sequence = number;
             assert(op == done || op == done + 1);
             if
             :: op == done + 1 ->
                done = op; applied[op]++; assert(applied[op] == 1)
             :: else
             fi
          fi;
          if
          :: ownEpoch[from] == under && number == lastCall[from] && wants[from] > 0 ->
             if
             :: ownDone[from] = op; wants[from] = 0;
                /* Only now it is sent, after what the client lacks; it arrives
                   if its transport lives. */
                assert(op <= done);
                if
                :: at == from -> assert(op >= seen); seen = op
                :: true
                fi
             :: skip /* the answer is lost */
             fi
          :: else
          fi
       fi }
  od
}

init {
  atomic {
    owner[1] = 1; ownEpoch[1] = 1; at = 1;
    run Server(1);
    run Server(2);
  }
}
