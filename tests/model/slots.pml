/* The slot protocol: writers, growth, recovery and settle over a few slots and chunks.
 *
 * Who stands for what: Writer is Writer::apply and what it calls (probe, Growth::bring, ThreadHeap::
 * take, free_node); Director is Maintenance, recover_in_block and settle; Reader is lookup. Each STEP
 * is one access to shared memory, and a writer may die before each; so may a recovery.
 *
 * Assumed: memory is sequentially consistent (every change of a slot is a locked operation); the two
 * table words are read at once (their pairs never come back, so a mixed one fails the next look);
 * op and done of an intent are one flag; a chunk is a page of its own; all keys share one chain and
 * one tag. Left out: stealing, hazards, runs, pins, audit records, the director's death in a move.
 *
 * MARK_READ_FIRST and SETTLE_TRUSTS_TABLE put two faults of earlier code back; run.sh expects an error.
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef OPS
#define OPS 1
#endif
#ifndef OPS1
#define OPS1 OPS
#endif
#ifndef KEYS
#define KEYS 1
#endif
#ifndef GROWTHS
#define GROWTHS 2
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef RECOVERY_KILLS
#define RECOVERY_KILLS 0
#endif
#ifndef SEALS
#define SEALS 0
#endif
#ifndef READS
#define READS 0
#endif
#ifndef CHUNKS
#define CHUNKS 3
#endif

#define SLOTS 2
#define AREAS 3
#define DIRECTOR WRITERS
#define READER (WRITERS + 1)
#define LANES (WRITERS + 2)
#define NONE 7

/* Mark of a slot's ref */
#define LIVE 0
#define FROZEN 1
#define MOVED 2
#define DROPPED 3
#define EMPTY 4
#define CLOSED 5
#define REF(mark, node) ((mark) * 8 + (node))
#define MARK(ref) ((ref) / 8)
#define NODE(ref) ((ref) % 8)

/* NodeState */
#define UNTOUCHED 0
#define IN_USE 1
#define FREED 2
#define COLLECTED 3

#define IDLE(id) (16 + (id))
#define AT(id, s) (area_of[id] * SLOTS + (s))

mtype = { hit, vacant, shut, no_slot, looking, next_slot };  /* ProbeEnd, and its loop */
mtype = { put, erase, add };                               /* Op */
mtype = { again, committed, refused };                     /* Writer::Attempt */
mtype = { no_side, moving, dropping };                     /* SideKind */

/* The index: table words and slots. */
byte table = 1;
byte old_table = IDLE(1);
byte next_table = 0;
byte area_of[GROWTHS + 2];
byte ref[AREAS * SLOTS];
byte ver[AREAS * SLOTS];
bool sealed;

/* The heap: a chunk is a page of its own, with one hint. */
byte inc[CHUNKS];
byte st[CHUNKS];
byte mark_inc[CHUNKS];
bool marked[CHUNKS];
byte key[CHUNKS];
byte val[CHUNKS];
byte owner[CHUNKS];
bool hint[CHUNKS];

/* Intents and side intents. */
bool in_flight[LANES];
byte i_table[LANES];
byte i_slot[LANES];
byte i_fresh[LANES];
byte i_gen[LANES];
byte i_old[LANES];
byte i_old_gen[LANES];
mtype s_kind[LANES];
byte s_table[LANES];
byte s_slot[LANES];
byte s_old[LANES];
byte s_old_gen[LANES];

/* What only the properties know. */
byte area_is[AREAS];           /* id of the table that an area holds; 0: anything */
byte cur[KEYS];                /* the value of the last commit; 0: absent */
byte allowed[LANES];           /* values that were current since the lane's operation began */
byte observed[LANES];          /* key of that operation */
bool settled;
bool dead[WRITERS];
bool ended[WRITERS];
byte kills = KILLS;
byte recovery_kills = RECOVERY_KILLS;
bool recovering;

#if KILLS
#define MAY_DIE                                                                      \
  if                                                                                 \
  :: me < DIRECTOR && kills > 0 -> kills--; dead[me] = true; goto died               \
  :: me == DIRECTOR && recovering && recovery_kills > 0 -> recovery_kills--; goto died \
  :: true                                                                            \
  fi;
#else
#define MAY_DIE
#endif
#define STEP(...) atomic { MAY_DIE __VA_ARGS__ }

#define LOCALS                                                                   \
  byte k; byte t; byte o; byte x; byte v; byte r; byte n = NONE; byte g; byte w; byte s; \
  byte fx; byte fv; byte fr; byte fs; byte c = NONE; byte ci; byte i;            \
  bool ok; bool in_next; bool got; bool done; byte k2; byte count; mtype end; mtype step_end; mtype op; mtype res

#define UNCHANGED (ref[x] == r && ver[x] == v)
#define SAME_TABLES (table == t && old_table == o)
#define GROWING (o + 1 == t)

/* compare_and_swap of slot `x` of table `id`. */
inline cas(id, at, er, ev, nr) {
  d_step {
    assert(area_is[area_of[id]] == id);
    if
    :: ref[at] == er && ver[at] == ev -> ref[at] = nr; ver[at] = ev + 1; ok = true
    :: else -> ok = false
    fi
  }
}

/* probe(): end is hit (w: the value), vacant, shut or no_slot. */
inline probe(id, wanted) {
  STEP(s = 0; in_next = false; end = next_slot; x = AT(id, s); v = ver[x]);
  do
  :: end == next_slot ->
     STEP(
       r = ref[x];
       if
       :: r == REF(EMPTY, 0) -> end = vacant
       :: r == REF(CLOSED, 0) -> end = shut
       :: MARK(r) == MOVED || MARK(r) == DROPPED -> in_next = true; s++
       :: else -> end = looking; n = NODE(r)
       fi)
     if
     :: end == looking ->
        STEP(g = inc[n]; ok = (st[n] == IN_USE));
        STEP(if
             :: ok -> ok = (ref[x] == r)
             :: else -> assert(!UNCHANGED || !SAME_TABLES)
             fi);
        if
        :: ok ->
           STEP(w = val[n]; ok = (key[n] == wanted));
           STEP(if
                :: UNCHANGED && ok -> end = hit
                :: UNCHANGED && !ok -> end = next_slot; s++
                :: !UNCHANGED && ok -> skip
                :: else -> end = next_slot
                fi);
           if
           :: end == looking -> STEP(end = (inc[n] == g -> hit : next_slot))
           :: else
           fi
        :: else -> end = next_slot
        fi
     :: else
     fi;
     if
     :: end == next_slot && s == SLOTS -> end = no_slot; s = 0
     :: end == next_slot && s < SLOTS -> STEP(x = AT(id, s); v = ver[x])
     :: else
     fi
  :: else -> break
  od
}

/* lookup(): ok, and w is the value, 0 when absent; n the node. */
inline lookup(wanted) {
  do
  :: STEP(t = table; o = old_table);
     if
     :: GROWING ->
        probe(o, wanted);
        if
        :: end != hit && (in_next || end == shut || end == no_slot) -> probe(t, wanted)
        :: else
        fi
     :: else -> probe(t, wanted)
     fi;
     STEP(if
          :: SAME_TABLES -> assert(end != shut); break
          :: else
          fi)
  od;
  if
  :: end != hit -> w = 0; n = NONE
  :: else
  fi
}

inline assert_not_shown(at) {
  i = 0;
  do
  :: i < AREAS * SLOTS ->
     assert(area_is[i / SLOTS] == 0 || MARK(ref[i]) > FROZEN || NODE(ref[i]) != at);
     i++
  :: else -> i = 0; break
  od
}

/* ThreadHeap::free_node */
inline free_node(at, generation) {
  STEP(
    d_step {
      assert(inc[at] == generation && st[at] == IN_USE);
      assert_not_shown(at);
      ok = (owner[at] != me);
      st[at] = (ok -> FREED : COLLECTED)
    });
  if
  :: ok -> STEP(hint[at] = true)
  :: else
  fi
}


/* Growth::drop: x, r, v: the slot; n, g: its tombstone. */
inline drop() {
  STEP(if
       :: mark_inc[n] == g -> marked[n] = true
       :: else
       fi);
  STEP(s_slot[me] = fs; s_old[me] = n; s_old_gen[me] = g);
  STEP(s_kind[me] = dropping);
  STEP(cas(o, fx, fr, fv, REF(DROPPED, me)));
  if
  :: ok -> free_node(n, g)
  :: else
  fi;
  STEP(s_kind[me] = moving)
}

/* Growth::copy_into_next: ok when T2 has a slot for the key of the frozen node in fx. */
inline copy_into_next() {
  STEP(n = NODE(fr); k2 = key[n]);
  STEP(ok = (ref[fx] == fr && ver[fx] == fv));
  if
  :: ok ->
     do
     :: probe(t, k2);
        if
        :: end == hit -> ok = true; break
        :: end == shut || end == no_slot -> ok = false; break
        :: end == vacant ->
#ifndef TRAP6
           STEP(ok = (ref[fx] == fr && ver[fx] == fv));
#else
           ok = true;
#endif
           if
           :: ok ->
              STEP(cas(t, x, REF(EMPTY, 0), v, REF(LIVE, NODE(fr))));
              if
              :: ok -> break
              :: else
              fi
           :: else -> break
           fi
        fi
     od
  :: else
  fi
}

/* Growth::finalise of slot fs of table o: ok when it is final. */
inline finalise() {
  done = false;
  do
  :: !done ->
     STEP(fx = AT(o, fs); fv = ver[fx]);
     STEP(fr = ref[fx]);
     if
     :: fr == REF(EMPTY, 0) -> STEP(cas(o, fx, fr, fv, REF(CLOSED, 0)))
     :: fr != REF(EMPTY, 0) && MARK(fr) > FROZEN -> ok = true; done = true
     :: MARK(fr) == FROZEN ->
        copy_into_next();
        if
        :: ok -> STEP(cas(o, fx, fr, fv, REF(MOVED, NODE(fr))))
        :: else -> STEP(if
                        :: ver[fx] == fv -> ok = false; done = true
                        :: else
                        fi)
        fi
     :: MARK(fr) == LIVE ->
        STEP(n = NODE(fr); g = inc[n]);
        STEP(w = val[n]);
        STEP(ok = (ver[fx] == fv));
        if
        :: ok && w == 0 -> drop()
        :: ok && w != 0 -> STEP(cas(o, fx, fr, fv, REF(FROZEN, NODE(fr))))
        :: else
        fi
     fi
  :: else -> break
  od
}

/* Growth::arm: ok when the tables are still those. */
inline arm() {
  STEP(s_table[me] = o);
  STEP(s_kind[me] = moving);
  STEP(ok = SAME_TABLES; if :: !ok -> s_kind[me] = no_side :: else fi)
}

/* Growth::bring: ok when key k, or its absence, is in T2. */
inline bring() {
  arm();
  if
  :: ok ->
     probe(o, k);
     if
     :: end == hit || end == vacant ->
        step_end = end; fs = s;
        finalise();
        if
        :: ok && step_end == vacant -> STEP(ok = (ref[fx] == REF(CLOSED, 0)))
        :: else
        fi
     :: else -> ok = true
     fi;
     STEP(s_kind[me] = no_side)
  :: else
  fi
}

/* help_begin. */
inline help_begin() {
  STEP(if
       :: old_table == table && next_table == table + 1 -> table = next_table
       :: else
       fi)
}

/* ThreadHeap::take and Writer::take_chunk: c, in use with incarnation ci; NONE: no memory. */
inline take() {
  d_step { c = 0;
  do   /* ready ones, hints, pages without an owner: in this order */
  :: c < CHUNKS && owner[c] == me && (st[c] == COLLECTED || st[c] == UNTOUCHED) -> break
  :: c < CHUNKS && !(owner[c] == me && (st[c] == COLLECTED || st[c] == UNTOUCHED)) -> c++
  :: c == CHUNKS -> break
  od };
  if
  :: c == CHUNKS ->
     c = 0;
     do
     :: c < CHUNKS ->
        STEP(ok = (owner[c] == me && hint[c]); if :: ok -> hint[c] = false :: else fi);
        if
        :: ok ->
#ifndef TRAP4
           STEP(ok = (st[c] == FREED); if :: ok -> st[c] = COLLECTED :: else fi)
#else
           STEP(st[c] = COLLECTED)
#endif
        :: else ->
           STEP(ok = (owner[c] == NONE); if :: ok -> owner[c] = me :: else fi);
           if
           :: ok ->
              STEP(hint[c] = false);
              STEP(ok = (st[c] != IN_USE);
                   if :: st[c] == FREED -> st[c] = COLLECTED :: else fi)
           :: else
           fi
        fi;
        if
        :: ok -> break
        :: else -> c++
        fi
     :: else -> break
     od
  :: else
  fi;
  if
  :: c == CHUNKS -> c = NONE
  :: else ->
     count++;
     ci = me * 8 + count;
     STEP(i_gen[me] = ci; i_fresh[me] = c);
     STEP(inc[c] = ci; st[c] = IN_USE)
  fi
}

/* ThreadHeap::put_back, of a chunk that a Writer armed. */
inline put_back() {
  STEP(st[c] = COLLECTED)
}

#define RESET k = 0; t = 0; o = 0; x = 0; v = 0; r = 0; n = NONE; g = 0; w = 0; s = 0; \
  fx = 0; fv = 0; fr = 0; fs = 0; c = NONE; ci = 0; i = 0; ok = false; in_next = false; got = false; \
  done = false; k2 = 0; end = 0; step_end = 0; op = 0; res = 0

/* The commit: what the properties know changes with it. */
inline commit() {
  d_step {
    cas(t, x, r, v, REF(LIVE, c));
    if
    :: ok ->
       assert(!settled);
       assert(sealed || true);
       cur[k] = val[c];
       i = 0;
       do
       :: i < LANES ->
          if
          :: observed[i] == k -> allowed[i] = allowed[i] | (1 << cur[k])
          :: else
          fi;
          i++
       :: else -> i = 0; break
       od
    :: else
    fi
  }
}

/* Writer::attempt from build() on. */
inline change() {
  if
  :: c == NONE -> take()
  :: else
  fi;
  if
  :: c == NONE -> res = refused
  :: else ->
     STEP(mark_inc[c] = ci; marked[c] = false);
     STEP(key[c] = k; val[c] = (op == erase -> 0 : 1 + me * OPS + ops));
     if
     :: end == hit && g / 8 != me ->
#ifndef TRAP3
        STEP(if :: mark_inc[n] == g -> marked[n] = true :: else fi)
#else
        STEP(marked[n] = true)
#endif
     :: else
     fi;
     STEP(i_slot[me] = s; i_old[me] = (end == hit -> n : NONE); i_old_gen[me] = g);
     STEP(i_table[me] = t);
     STEP(if :: sealed -> res = refused :: else fi);
     if
     :: res == again ->
        STEP(ok = SAME_TABLES);
        if
        :: ok ->
           STEP(commit());
           if
           :: ok ->
              res = committed;
              if
              :: end == hit -> free_node(n, g)
              :: else
              fi
           :: else
           fi
        :: else
        fi
     :: else
     fi
  fi
}

proctype Writer(byte me) {
  LOCALS;
  byte ops = (me == 0 -> OPS : OPS1);
  do
  :: ops > 0 ->
     atomic {
       ops--;
#ifdef ONLY0
       op = (me == 0 -> ONLY0 : ONLY1);
#else
       if :: op = put :: op = erase :: op = add fi;
#endif
       if
       :: k = 0
#if KEYS > 1
       :: k = 1
#endif
       fi;
       i_fresh[me] = NONE; i_table[me] = 0; in_flight[me] = true;
       observed[me] = k; allowed[me] = 1 << cur[k];
       res = again
     }
     do
     :: res == again ->
        help_begin();
        STEP(t = table; o = old_table);
        ok = true;
        if
        :: GROWING -> bring()
        :: else
        fi;
        if
        :: ok ->
           probe(t, k);
           if
           :: end == vacant -> w = 0
           :: else
           fi;
           if
           :: (end == hit && MARK(r) == LIVE) || end == vacant ->
              if
              :: (op == erase && w == 0) || (op == add && w != 0) ->
                 STEP(ok = SAME_TABLES);
                 if
                 :: ok && end == hit -> STEP(ok = UNCHANGED)
                 :: else
                 fi;
                 if
                 :: ok -> assert(allowed[me] & (1 << w)); res = refused
                 :: else
                 fi
              :: else -> change()
              fi
           :: else
           fi
        :: else
        fi
     :: else -> break
     od;
     if
     :: res == refused ->
        STEP(i_table[me] = 0);
        if
        :: c != NONE -> put_back()
        :: else
        fi
     :: else
     fi;
     STEP(in_flight[me] = false; observed[me] = NONE; allowed[me] = 0; RESET)
  :: else -> break
  od;
died:
  skip;
  d_step { ended[me] = true; RESET; count = 0; ops = 0; observed[me] = NONE; allowed[me] = 0 }
}


/* LaneRecovery::is_live_in: ok when the index leads to node at. */
inline is_live_in(at) {
  STEP(k = key[at]);
  lookup(k);
  ok = (n == at)
}

inline free_by_gen(at, generation) {
  STEP(ok = (inc[at] == generation); got = ok && st[at] == FREED; ok = ok && st[at] == IN_USE);
  if
  :: ok ->
     STEP(d_step { assert(inc[at] == generation && st[at] == IN_USE); assert_not_shown(at); st[at] = FREED });
     STEP(hint[at] = true)
  :: !ok && got -> STEP(hint[at] = true)
  :: else
  fi
}

/* LaneRecovery::decide. */
inline decide() {
  c = i_fresh[d];
  STEP(ok = (inc[c] == i_gen[d]); step_end = (st[c] == IN_USE -> hit : (st[c] == FREED -> looking : shut)));
  if
  :: !ok -> got = (i_table[d] != 0)
  :: ok && i_table[d] == 0 -> got = false
  :: ok && i_table[d] != 0 ->
     STEP(got = (mark_inc[c] == i_gen[d] && marked[c]));
     if
     :: !got ->
        STEP(r = ref[AT(i_table[d], i_slot[d])]; got = (MARK(r) <= MOVED && NODE(r) == c));
        if
        :: !got ->
           is_live_in(c);
           got = ok;
           ok = true;
#ifndef MARK_READ_FIRST
           if
           :: !got -> STEP(got = (mark_inc[c] == i_gen[d] && marked[c]))
           :: else
           fi
#endif
        :: else
        fi
     :: else
     fi
  fi;
  if
  :: got ->   /* complete */
     if
     :: i_old[d] != NONE && i_old[d] != c ->
        is_live_in(i_old[d]);
        if
        :: !ok -> free_by_gen(i_old[d], i_old_gen[d])
        :: else
        fi
     :: else
     fi
  :: !got && ok && step_end == hit ->
     is_live_in(c);
     assert(!ok);   /* forged */
     STEP(d_step { assert_not_shown(c); st[c] = FREED });
     STEP(hint[c] = true)
  :: !got && ok && step_end == looking -> STEP(hint[c] = true)
  :: else
  fi
}

/* recover_in_block for lane d. */
inline recover() {
  if
  :: s_kind[d] == dropping ->
     STEP(ok = (ref[AT(s_table[d], s_slot[d])] == REF(DROPPED, d)));
     if
     :: ok ->
        is_live_in(s_old[d]);
        if
        :: !ok -> free_by_gen(s_old[d], s_old_gen[d])
        :: else
        fi
     :: else
     fi
  :: else
  fi;
  STEP(s_kind[d] = no_side);
  if
  :: in_flight[d] && i_fresh[d] != NONE -> decide()
  :: else
  fi;
  STEP(in_flight[d] = false);
  fs = 0;
  do
  :: fs < CHUNKS -> STEP(if :: owner[fs] == d -> owner[fs] = NONE :: else fi; fs++)
  :: else -> fs = 0; break
  od
}


/* settle(), from the membarrier on. */
inline settle() {
  d = 0;
  do
  :: d < WRITERS ->
     STEP(ok = in_flight[d]);
     if
     :: ok ->
        STEP(t = i_table[d]);
        STEP(s = i_slot[d]);
        if
        :: t != 0 ->
           STEP(x = AT(t, s); v = ver[x]);
           STEP(r = ref[x]);
#ifndef SETTLE_TRUSTS_TABLE
           STEP(ok = (area_is[area_of[t]] == t));
           if
           :: ok -> STEP(cas(t, x, r, v, r))
           :: else
           fi
#else
           STEP(cas(t, x, r, v, r))
#endif
        :: else
        fi
     :: else
     fi;
     d++
  :: else -> d = 0; break
  od
}

/* Maintenance::retire: gives back area a if it holds an outgrown table that nobody names. */
inline retire() {
  STEP(t = table; o = old_table);
  if
  :: o == IDLE(t) && area_is[a] != 0 && area_is[a] < t ->
     ok = true;
     d = 0;
#ifndef TRAP7
     do
     :: d < WRITERS && ok ->
        STEP(ok = !(in_flight[d] && i_table[d] == area_is[a]));
        if
        :: ok -> STEP(ok = !(s_kind[d] != no_side &&
                             (s_table[d] == area_is[a] || s_table[d] + 1 == area_is[a])))
        :: else
        fi;
        d++
     :: else -> d = 0; break
     od;
#endif
     if
     :: ok -> STEP(area_is[a] = 0)
     :: else
     fi
  :: else
  fi
}


#define ALL_ENDED (ended[0] && ended[WRITERS - 1])
#define ALL_RECOVERED (!(dead[0] && !recovered[0]) && !(dead[WRITERS - 1] && !recovered[WRITERS - 1]))
#define FREE_AREA (area_is[0] == 0 -> 0 : (area_is[1] == 0 -> 1 : (area_is[2] == 0 -> 2 : NONE)))

/* Growth::prepare_next and begin_prepared, up to the word that help_begin goes on from. */
inline begin() {
  atomic {
    a = FREE_AREA;
    if
    :: a != NONE && old_table == IDLE(table) && table <= GROWTHS ->
       d_step {
         area_of[table + 1] = a;
         area_is[a] = table + 1;
         i = 0;
         do
         :: i < SLOTS -> ref[a * SLOTS + i] = REF(EMPTY, 0); ver[a * SLOTS + i] = 32 * (table + 1); i++
         :: else -> i = 0; break
         od;
         next_table = table + 1;
         old_table = table
       }
    :: else
    fi;
    a = 0
  }
}

inline finish() {
  STEP(t = table; o = old_table);
  if
  :: GROWING ->
     arm();
     if
     :: ok ->
        fs = 0;
        do
        :: fs < SLOTS -> finalise(); if :: ok -> fs++ :: else -> break fi
        :: else -> break
        od;
        if
        :: fs == SLOTS -> STEP(if :: old_table == o -> old_table = IDLE(t) :: else fi)
        :: else
        fi;
        fs = 0;
        STEP(s_kind[me] = no_side)
     :: else
     fi
  :: else
  fi
}

proctype Director() {
  byte me = DIRECTOR;
  byte d; byte a;
  bool recovered[WRITERS];
  bool retired;
  byte seals = SEALS;
  LOCALS;
work:
  do
  :: table <= GROWTHS && old_table == IDLE(table) && !ALL_ENDED -> begin()
  :: old_table == table -> help_begin()
  :: old_table < 16 && old_table != table -> finish(); d_step { RESET; a = 0; d = 0 }
  :: old_table == IDLE(2) && area_is[0] == 1 && !retired -> a = 0; retired = true; retire(); d_step { RESET; a = 0; d = 0}
#if KILLS
  :: dead[0] && !recovered[0] -> d = 0; recovering = true; recover(); recovered[0] = true; recovering = false; d_step { RESET; d = 0 }
  :: dead[1] && !recovered[1] -> d = 1; recovering = true; recover(); recovered[1] = true; recovering = false; d_step { RESET; d = 0 }
#endif
#if SEALS
  :: seals > 0 -> seals--; STEP(sealed = true); settle(); STEP(settled = true); d_step { RESET; d = 0 }
#endif
  :: ALL_ENDED && ALL_RECOVERED -> break
  od;
  /* Everybody has ended: what is left must be sound. */
  k2 = 0;
  do
  :: k2 < KEYS -> lookup(k2); assert(w == cur[k2]); k2++
  :: else -> break
  od;
  skip;
  d_step {
    c = 0;
    do
    :: c < CHUNKS ->
       s = 0;
       i = 0;
       do
       :: i < AREAS * SLOTS ->
          if
          :: (area_is[i / SLOTS] == table || area_is[i / SLOTS] == old_table) &&
             MARK(ref[i]) <= FROZEN && NODE(ref[i]) == c -> s++
          :: else
          fi;
          i++
       :: else -> break
       od;
       assert((st[c] == IN_USE) == (s > 0));
       assert(st[c] != FREED || hint[c] || owner[c] == NONE);
       c++
    :: else -> break
    od;
    c = NONE
  }
  goto over;
died:
  skip;
  d_step { recovering = false; RESET; d = 0; a = 0 }
  goto work;
over:
  skip
}

#if READS
proctype Reader() {
  byte me = READER;
  LOCALS;
  byte reads = READS;
  do
  :: reads > 0 ->
     atomic { reads--; k = 0; observed[me] = k; allowed[me] = 1 << cur[k] }
     lookup(k);
     d_step { assert(allowed[me] & (1 << w)); observed[me] = NONE; allowed[me] = 0; RESET }
  :: else -> break
  od;
  goto over;
died: skip;
over: skip
}
#endif

init {
  atomic {
    byte j = 0;
    do
    :: j < CHUNKS -> owner[j] = (j < CHUNKS - 1 -> 0 : 1); j++
    :: else -> break
    od;
    j = 0;
    do
    :: j < LANES -> observed[j] = NONE; s_kind[j] = no_side; i_fresh[j] = NONE; j++
    :: else -> break
    od;
    area_is[0] = 1;
    j = 0;
    do
    :: j < SLOTS -> ref[j] = REF(EMPTY, 0); ver[j] = 32; j++
    :: else -> break
    od;
    if
    :: inc[0] = 1; st[0] = IN_USE; mark_inc[0] = 1; val[0] = 7; cur[0] = 7; ref[0] = REF(LIVE, 0)
    :: skip
    fi;
    run Writer(0);
    run Writer(1);
#if READS
    run Reader();
#endif
    run Director()
  }
}
