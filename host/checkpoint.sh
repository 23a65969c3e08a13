# One part of moving the memory of an application, on the host of one side. AWS Systems Manager runs it, as root, with these settings before it:
#
#   ACTION    check, prepare, dump, restore, suspend, resume, discard, or end
#   COPY      the name of this copy
#   EPOCH     of the switch; 0 before it has one
#   BEHIND    yes: it follows the decision. Else it is on the way to it, and must begin in time
#   UNTIL     seconds since 1970: what is on the way to a decision begins nothing later than this
#   ENGINE    criu or cedana, and ENGINE_COMMAND, how it is called
#   FOLDER    where images are, in memory at best
#   BUCKET    s3://bucket/prefix, by which images go to the other host; empty where both hosts share FOLDER
#   PID_FILE  of the application on this host: the process that all others descend from
#   START     starts a fresh application on this host, which writes PID_FILE
#
# It prints one line of JSON: {"ok":true,...} or {"ok":false,"why":"..."}.
set -Eeuo pipefail
umask 077

fail() {
  trap - ERR
  printf '{"ok":false,"why":"%s"}\n' "$(printf '%s' "$*" | tr '\n\t' '  ' | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g' | cut -c1-600)"
  exit 1
}
trap 'fail "line $LINENO of the checkpoint failed: $BASH_COMMAND"' ERR

images=$FOLDER/copies/$COPY
last=$images/$EPOCH
# Of this host alone, also where both share FOLDER: last, the order of calls; dumped and restored, which process it was; replaced, woken,
# what a discard must undo.
own=$PID_FILE.checkpoint
lazy=
last_lines() { { tail -n 3 "$1" 2>/dev/null || true; } }
# It logs each limit that it cannot raise as an error, too.
errors_of() { { grep -h Error "$1" 2>/dev/null || true; } | { grep -v RLIMIT_NOFILE || true; } | { tail -n 3 || true; }; }

# Requests wait for most of this: what Bash does itself needs no process of its own.
state_of() {
  local name value
  state=
  [ -e "/proc/$1/status" ] || return 0
  while read -r name value _; do [ "$name" != State: ] || state=$value; done 2>/dev/null <"/proc/$1/status" || true
}
alive() {
  [ -n "$1" ] || return 1
  state_of "$1"
  [[ -n $state && $state != [ZX] ]]
}
# Also one whose first thread has ended: the others may still have its ports.
holds_files() {
  local tasks
  alive "$1" && return 0
  tasks=(/proc/"$1"/task/*)
  [ "${#tasks[@]}" -gt 1 ]
}
# A process by more than its number: when it began, and in which boot.
identify() {
  local stat boot
  identity=
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
  read -r boot </proc/sys/kernel/random/boot_id
  # The 22nd field; the second may hold spaces.
  stat=${stat##*) }
  set -- "$1" $stat
  identity="$1 ${21} $boot"
}
# Into `process`: that of the file, where the file was written by it and no other has its number since.
find_process() {
  local name value boot_seconds=0 began written
  process=
  [ -e "$PID_FILE" ] || return 0
  read -r process <"$PID_FILE" || true
  [[ $process =~ ^[1-9][0-9]*$ && $process != 1 ]] || fail "$PID_FILE must have the id of a process, got '$process'"
  identify "$process"
  [ -n "$identity" ] || return 0
  # One that was dumped or restored here is known, whatever was done to the clock since.
  if is_known dumped || is_known restored; then return 0; fi
  while read -r name value _; do [ "$name" != btime ] || boot_seconds=$value; done </proc/stat
  read -r _ began _ <<<"$identity"
  written=$(stat -c %Y "$PID_FILE")
  [ $((boot_seconds + began / 100)) -le $((written + 2)) ] || fail "$PID_FILE must be that of the process $process, which began later than it was written; where the clock of this host was set since, write it again"
}
is_known() {
  local known
  [ -e "$own/$1" ] && read -r known <"$own/$1" && [ "$identity" = "$known" ]
}
# Into `all`: a process, and those that descend from it.
find_tree() {
  all=()
  add_tree "$1"
}
add_tree() {
  local file children child
  all+=("$1")
  for file in /proc/"$1"/task/*/children; do
    children=
    [ ! -e "$file" ] || read -r children 2>/dev/null <"$file" || true
    for child in $children; do add_tree "$child"; done
  done
}
# To all of a tree, also to those that are forked meanwhile.
signal_tree() {
  local before=
  find_tree "$2"
  while [ "$before" != "${all[*]}" ]; do
    before=${all[*]}
    kill "-$1" "${all[@]}" 2>/dev/null || true
    find_tree "$2"
  done
}
memory_of() {
  local each sum=0 name value
  find_tree "$1"
  for each in "${all[@]}"; do
    while read -r name value _; do
      case $name in VmRSS: | VmSwap:) sum=$((sum + value)) ;; esac
    done 2>/dev/null <"/proc/$each/status" || true
  done
  echo $((sum * 1024))
}
end_tree() {
  local each
  holds_files "$1" || return 0
  find_tree "$1"
  signal_tree KILL "$1"
  for each in "${all[@]}"; do while holds_files "$each"; do sleep 0.005; done; done
}
must_be_stopped() {
  local each
  find_tree "$1"
  for each in "${all[@]}"; do
    state_of "$each"
    [[ $state == T || -z $state || $state == Z ]] || fail "the process $each must be stopped, got state $state"
  done
}
size_of() {
  local terms
  terms=$(find "$1" -name '*.img' -printf '%s+' 2>/dev/null) || true
  echo "$((${terms}0))"
}

# Calls may come late. Of two in one epoch, what follows the decision comes last: what comes behind it changes nothing.
is_in_order() {
  local rank=1
  last_epoch=0 last_rank=0
  [ "$BEHIND" != yes ] || rank=2
  [ ! -e "$own/last" ] || read -r last_epoch last_rank <"$own/last"
  [ "$EPOCH" -gt "$last_epoch" ] || { [ "$EPOCH" = "$last_epoch" ] && [ "$rank" -ge "$last_rank" ]; }
}
must_be_in_order() {
  is_in_order || fail "a call of epoch $last_epoch came before this one of epoch $EPOCH; only where the store of the cutover is a new one, remove $own/last"
}
# What follows a decision says so at once: what is under way then undoes itself.
take_turn() {
  must_be_in_order
  local rank=1
  [ "$BEHIND" != yes ] || rank=2
  echo "$EPOCH $rank" >"$own/last.$$"
  mv "$own/last.$$" "$own/last"
}
in_time() {
  local now
  [ "$BEHIND" != yes ] || return 0
  printf -v now '%(%s)T' -1
  [ "$now" -le "$UNTIL" ] || fail "it must begin before $UNTIL, got $now: it came late, or the clock of this host is off"
}
# One call at a time changes processes; children must not keep it.
lock() {
  exec 8>"$own/lock"
  flock -w 60 8 || fail "another call must end within 60 s"
}
unlock() { exec 8>&-; }

# What is not in the image: the network namespace of the application, where it has one. The other host has its own.
own_network() { [ ! "/proc/$1/ns/net" -ef /proc/self/ns/net ]; }
# Files to which the application appends, with the size, mode and owner that they must have on the other host: CRIU compares them.
logs_of() {
  local each fd file name flags
  find_tree "$1"
  for each in "${all[@]}"; do
    for fd in /proc/"$each"/fd/*; do
      [ -f "$fd" ] || continue
      while read -r name flags; do [ "$name" != flags: ] || break; done <"/proc/$each/fdinfo/${fd##*/}"
      file=$(readlink "$fd")
      [ $((8#$flags & 8#2000)) = 0 ] || [ ! -f "$file" ] || printf '%s %s\n' "$(stat -Lc '%s %a %u:%g' "$fd")" "$file"
    done
  done
}
# One that is of another size is kept beside it.
make_logs() {
  local size mode owner file
  while read -r size mode owner file; do
    if [ -e "$file" ] && [ "$(stat -c %s "$file")" != "$size" ]; then mv "$file" "$file.before-$EPOCH"; fi
    mkdir -p "$(dirname "$file")"
    truncate -s "$size" "$file"
    chmod "$mode" "$file"
    chown "$owner" "$file"
  done <"$last/logs"
}

# What is restored must not end with the unit of the agent that ran this.
as_own_unit() { [ ! -d /run/systemd/system ] || echo "systemd-run --quiet --scope --collect --unit=drainshift-$1-$EPOCH-$$"; }
fail_to_dump() {
  if alive "$1"; then fail "the application could not be dumped, and is still there: $2"; fi
  fail "the application could not be dumped, and has ended: $2"
}

# Engines: check, can_predump, predump PID, dump PID, restore.
criu_network() { if own_network "$1"; then echo "--external net[$(stat -Lc %i "/proc/$1/ns/net")]:app"; fi; }
criu_check() {
  local version
  version=$($ENGINE_COMMAND --version 2>/dev/null | sed -n 's/^Version: \([0-9.]*\).*/\1/p') || true
  [ -n "$version" ] || fail "CRIU must be installed, got no '$ENGINE_COMMAND'"
  [ "$(printf '%s\n4.2\n' "$version" | sort -V | head -n 1)" = 4.2 ] || fail "CRIU must be 4.2 or newer, got $version"
  $ENGINE_COMMAND check >/dev/null 2>"$own/check.log" || fail "CRIU must work on this kernel, got: $(last_lines "$own/check.log")"
}
# Pages that were written to since are found by CONFIG_MEM_SOFT_DIRTY.
criu_can_predump() { $ENGINE_COMMAND check --feature mem_dirty_track >/dev/null 2>&1; }
criu_predump() { $ENGINE_COMMAND pre-dump -t "$1" -D "$images/pre" -o pre-dump.log --track-mem $(criu_network "$1") --network-lock skip 8>&-; }
criu_dump() {
  local before=
  [ ! -e "$images/prepared" ] || [ ! -d "$images/pre" ] || before="--prev-images-dir ../pre --track-mem"
  $ENGINE_COMMAND dump -t "$1" -D "$last" -o dump.log $before $(criu_network "$1") --leave-stopped --shell-job --tcp-close --network-lock skip 8>&- 2>"$last.err" ||
    fail_to_dump "$1" "$(errors_of "$last/dump.log")"
}
criu_restore() {
  local network='' tries=0
  rm -f "$last/lazy-pages.socket"
  # Pages come from the image as they are asked for: the application responds before all are there.
  setsid $(as_own_unit pages) $ENGINE_COMMAND lazy-pages -D "$last" -o lazy-pages.log </dev/null >/dev/null 2>&1 8>&- 9<&- &
  lazy=$!
  while [ ! -S "$last/lazy-pages.socket" ]; do
    tries=$((tries + 1))
    alive "$lazy" && [ "$tries" -le 5000 ] || { kill "$lazy" 2>/dev/null || true; fail "the pages could not be served: $(last_lines "$last/lazy-pages.log")"; }
    sleep 0.002
  done
  [ ! -e "$last/own-network" ] || network='--inherit-fd fd[9]:app'
  $(as_own_unit restored) $ENGINE_COMMAND restore -D "$last" -o restore.log -d --lazy-pages --pidfile "$PID_FILE" $network --shell-job --tcp-close 8>&- </dev/null >/dev/null 2>"$last.err" || {
    kill "$lazy" 2>/dev/null || true
    fail "the application could not be restored: $(errors_of "$last/restore.log") $(last_lines "$last.err")"
  }
}

cedana_check() {
  command -v "${ENGINE_COMMAND%% *}" >/dev/null || fail "Cedana must be installed, got no '$ENGINE_COMMAND'"
  $ENGINE_COMMAND check >"$own/check.log" 2>&1 || fail "Cedana's daemon must be healthy, got: $(last_lines "$own/check.log")"
}
cedana_can_predump() { false; }
cedana_dump() {
  local options='{"leave_stopped":true,"tcp_close":true,"shell_job":true}'
  $ENGINE_COMMAND dump process "$1" --dir "$last" --name app --compression none --criu-opts "$options" >"$last.err" 2>&1 8>&- ||
    fail_to_dump "$1" "$(last_lines "$last.err")"
}
cedana_restore() {
  $(as_own_unit restored) $ENGINE_COMMAND restore process --path "$last/app" --pid-file "$PID_FILE" --shell-job --tcp-close </dev/null >"$last.err" 2>&1 8>&- ||
    fail "the application could not be restored: $(last_lines "$last.err")"
}

copy() { aws s3 cp --only-show-errors --no-follow-symlinks --recursive "$1" "$2" >&2 2>"$own/s3.log" || fail "images must go from $1 to $2, got: $(last_lines "$own/s3.log")"; }
# Once they are there, this host needs them no more.
send() {
  [ -n "$BUCKET" ] && [ ! -e "$last.sent" ] || return 0
  copy "$last" "$BUCKET/$COPY/$EPOCH"
  : >"$last.sent"
  rm -rf "$last" "$images/pre"
}
fetch() {
  [ -n "$BUCKET" ] && [ ! -e "$last.fetched" ] || return 0
  mkdir -p "$images"
  copy "$BUCKET/$COPY" "$images"
  [ ! -d "$images/pre" ] || ln -sfn ../pre "$last/parent"
  : >"$last.fetched"
}

must_run() {
  find_process
  alive "$process" || fail "an application must run, got none: $PID_FILE has '$process'"
}
# Where one was restored or dumped here, it is that one: another has another memory.
must_be() {
  [ -e "$own/$1" ] || return 0
  identify "$process"
  is_known "$1" || fail "the application that was $1 must run, got another one, of process $process; where that is meant, remove $own/$1"
}
note() {
  identify "$process"
  echo "$identity" >"$own/$1"
}

check() {
  [ "$EPOCH" = 0 ] || must_be_in_order
  "${ENGINE}_check"
  must_run
  local bytes free name value _
  bytes=$(memory_of "$process")
  free=$(df --output=avail -B1 "$FOLDER" | tail -n 1)
  if [ "$(stat -f -c %T "$FOLDER")" = tmpfs ]; then
    while read -r name value _; do
      [ "$name" != MemAvailable: ] || [ $((value * 1024)) -ge "$free" ] || free=$((value * 1024))
    done </proc/meminfo
  fi
  [ "$free" -gt "$bytes" ] || fail "$FOLDER must have room for $bytes bytes, got $free"
  if [ -n "$BUCKET" ]; then
    echo "$COPY" | aws s3 cp --only-show-errors - "$BUCKET/check-$EPOCH" 2>"$own/s3.log" && aws s3 cp --only-show-errors "$BUCKET/check-$EPOCH" - >/dev/null 2>"$own/s3.log" ||
      fail "this host must be able to write to $BUCKET and to read from it, got: $(last_lines "$own/s3.log")"
  fi
  printf '{"ok":true,"bytes":%s,"free":%s}\n' "$bytes" "$free"
}

prepare() {
  local bytes=0
  lock
  in_time
  must_run
  mkdir -p "$images"
  if [ ! -e "$images/prepared" ] && "${ENGINE}_can_predump"; then
    rm -rf "$images/pre"
    mkdir -p "$images/pre"
    "${ENGINE}_predump" "$process" 2>/dev/null || fail "the memory could not be copied early: $(last_lines "$images/pre/pre-dump.log")"
    unlock
    [ -z "$BUCKET" ] || copy "$images/pre" "$BUCKET/$COPY/pre"
  fi
  [ ! -d "$images/pre" ] || bytes=$(size_of "$images/pre")
  : >"$images/prepared"
  printf '{"ok":true,"bytes":%s}\n' "$bytes"
}

dump() {
  take_turn
  lock
  if [ ! -e "$last.dumped" ]; then
    must_be_in_order
    in_time
    must_run
    must_be restored
    mkdir -p "$last"
    rm -f "$own/replaced" "$own/woken"
    note dumped
    if own_network "$process"; then : >"$last/own-network"; fi
    "${ENGINE}_dump" "$process"
    # The decision came meanwhile: nothing else would have it go on.
    is_in_order || { signal_tree CONT "$process"; must_be_in_order; }
    must_be_stopped "$process"
    logs_of "$process" >"$last/logs"
    size_of "$last" >"$last.dumped"
  fi
  unlock
  send
  printf '{"ok":true,"bytes":%s}\n' "$(cat "$last.dumped")"
}

restore() {
  take_turn
  lock
  local old bytes
  find_process
  old=$process
  if [ -e "$last.restored" ]; then
    alive "$old" || fail "the application that was restored has ended"
    printf '{"ok":true,"bytes":%s}\n' "$(cat "$last.restored")"
    return
  fi
  in_time
  unlock
  fetch
  lock
  bytes=$(size_of "$last")
  [ "$bytes" -gt 0 ] || fail "images must be in $last, got none"
  if [ -e "$last/own-network" ]; then
    alive "$old" || fail "the network of the application must be there, got no application on this host"
    exec 9<"/proc/$old/ns/net"
  fi
  make_logs
  must_be_in_order
  in_time
  : >"$own/replaced"
  [ -z "$old" ] || end_tree "$old"
  rm -f "$PID_FILE" "$own/dumped"
  "${ENGINE}_restore"
  find_process
  note restored
  echo "$bytes" >"$last.restored"
  clean_up &
  printf '{"ok":true,"bytes":%s}\n' "$bytes"
}

# Images are all of its memory, and lie in memory: they go as soon as all pages are there.
clean_up() {
  exec 8>&- 9<&- </dev/null >/dev/null 2>&1
  while [ -n "$lazy" ] && alive "$lazy"; do sleep 0.1; done
  rm -rf "$last" "$images/pre"
  [ -z "$BUCKET" ] || aws s3 rm --quiet --recursive "$BUCKET/$COPY"
}

# Nothing of it runs any more until it is resumed.
suspend() {
  take_turn
  lock
  # Behind an abort: what was restored here, and not what it would have replaced.
  if [ "$BEHIND" = yes ] && [ ! -e "$own/replaced" ]; then
    printf '{"ok":true}\n'
    return
  fi
  must_run
  signal_tree STOP "$process"
  rm -f "$own/woken"
  printf '{"ok":true}\n'
}

# What was stopped goes on: behind an abort of a switch, or on the way to a rollback that takes no memory along.
resume() {
  take_turn
  lock
  must_run
  must_be dumped
  if [ "$BEHIND" != yes ]; then
    in_time
    : >"$own/woken"
  fi
  signal_tree CONT "$process"
  [ -z "$BUCKET" ] || rm -rf "$images"
  printf '{"ok":true}\n'
}

# Behind an abort: this side has again what it had, a fresh application, or one that is stopped.
discard() {
  take_turn
  lock
  local tries=0
  if [ -e "$own/woken" ]; then
    must_run
    signal_tree STOP "$process"
    rm -f "$own/woken"
  elif [ -e "$own/replaced" ]; then
    find_process
    [ -z "$process" ] || end_tree "$process"
    rm -f "$PID_FILE" "$own/restored"
    setsid bash -c "$START" </dev/null >/dev/null 2>&1 8>&- &
    until find_process && alive "$process"; do
      tries=$((tries + 1))
      [ "$tries" -le 140 ] || fail "a fresh application must run within 7 s of: $START"
      sleep 0.05
    done
    rm -f "$own/replaced"
  fi
  unlock
  forget
  printf '{"ok":true}\n'
}

# Of this copy; of all where no one knows which it was.
forget() {
  local copy=/$COPY
  [ "$COPY" != none ] || copy=
  rm -rf "${FOLDER:?}/copies$copy"
  [ -z "$BUCKET" ] || aws s3 rm --only-show-errors --recursive "$BUCKET$copy/" >&2 2>"$own/s3.log" || fail "images may be left in $BUCKET$copy: $(last_lines "$own/s3.log")"
}

# When what was left is needed no more. One that is not stopped serves.
end() {
  lock
  find_process
  if alive "$process"; then
    must_be_stopped "$process"
    end_tree "$process"
  fi
  COPY=none
  forget
  printf '{"ok":true}\n'
}

# Root reads what is in it, and follows it.
make_own_folder() {
  [ -d "$1" ] || mkdir -p "$1"
  [ "$(stat -c '%u %a' "$1")" = '0 700' ] || fail "$1 must be of root, with mode 700, got $(stat -c '%U %a' "$1")"
}

[ "$EUID" = 0 ] || fail "it must run as root, got user $EUID"
[[ $OSTYPE == linux* ]] || fail "it must run on Linux, got $OSTYPE"
make_own_folder "$FOLDER"
make_own_folder "$own"
mkdir -p "$FOLDER/copies"
case $ACTION in
check | prepare | dump | restore | suspend | resume | discard | end) "$ACTION" ;;
*) fail "ACTION must be check, prepare, dump, restore, suspend, resume, discard or end, got '$ACTION'" ;;
esac
