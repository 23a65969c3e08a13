# One part of moving the memory of an application, on the host of one side. AWS Systems Manager runs it, as root, with these settings before it:
#
#   ACTION    check, prepare, dump, restore, resume, suspend, discard, or end
#   COPY      the name of this copy
#   EPOCH     of the switch
#   UNTIL     seconds since 1970: it begins nothing that stops or replaces a process later than this
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
  printf '{"ok":false,"why":"%s"}\n' "$(printf '%s' "$*" | tr '\n\t' '  ' | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g' | cut -c1-600)"
  exit 1
}
trap 'fail "line $LINENO of the checkpoint failed: $BASH_COMMAND"' ERR

images=$FOLDER/copies/$COPY
last=$images/$EPOCH
# Of this host alone, also where both share FOLDER.
own=$PID_FILE.checkpoint
lazy=
last_lines() { tail -n 3 "$1" 2>/dev/null || true; }
# Requests wait for most of this: what Bash does itself needs no process of its own.
alive() {
  local line
  [ -n "$1" ] && [ -e "/proc/$1/status" ] || return 1
  while read -r line; do [[ $line != State:*[ZX]\ * ]] || return 1; done 2>/dev/null <"/proc/$1/status"
}
# Also one whose first thread has ended: the others may still have its ports.
holds_files() {
  local tasks
  alive "$1" && return 0
  tasks=(/proc/"$1"/task/*)
  [ "${#tasks[@]}" -gt 1 ]
}
find_process() {
  process=
  [ ! -e "$PID_FILE" ] || read -r process <"$PID_FILE" || true
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
    [ ! -e "$file" ] || read -r children <"$file" || true
    for child in $children; do add_tree "$child"; done
  done
}
memory_of() {
  local each sum=0 name value
  find_tree "$1"
  for each in "${all[@]}"; do
    while read -r name value _; do [ "$name" != VmRSS: ] || sum=$((sum + value)); done 2>/dev/null <"/proc/$each/status" || true
  done
  echo $((sum * 1024))
}
# The kill(2) of a tree that is there; its parents reap it.
end_tree() {
  alive "$1" || return 0
  local each
  find_tree "$1"
  kill -KILL "${all[@]}" 2>/dev/null || true
  for each in "${all[@]}"; do while holds_files "$each"; do sleep 0.005; done; done
}
size_of() { echo $(($(find "$1" -name '*.img' -printf '%s+') 0)); }

# Calls may come late. Of two in one epoch, what undoes comes last: what comes behind it changes nothing.
in_order() {
  local last_epoch=0 last_rank=0
  [ ! -e "$own/last" ] || read -r last_epoch last_rank <"$own/last"
  if [ "$EPOCH" -lt "$last_epoch" ] || { [ "$EPOCH" = "$last_epoch" ] && [ "$1" -lt "$last_rank" ]; }; then
    fail "a call of epoch $last_epoch came before this one of epoch $EPOCH; where the epochs began anew, remove $own/last"
  fi
  echo "$EPOCH $1" >"$own/last.new"
  mv "$own/last.new" "$own/last"
}
in_time() {
  local now
  printf -v now '%(%s)T' -1
  [ "$now" -le "$UNTIL" ] || fail "it must begin before $UNTIL, got $now: it came late, or the clock of this host is off"
}

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

# What is restored must not end with the unit of the agent that ran this.
as_own_unit() { [ ! -d /run/systemd/system ] || echo "systemd-run --quiet --scope --collect --unit=drainshift-restored-$EPOCH"; }

# Engines: check, can_predump, predump PID, dump PID, resume PID, restore.
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
  [ ! -d "$images/pre" ] || before="--prev-images-dir ../pre --track-mem"
  $ENGINE_COMMAND dump -t "$1" -D "$last" -o dump.log $before $(criu_network "$1") --leave-stopped --shell-job --tcp-close --network-lock skip 8>&- 2>"$images/dump.err" ||
    fail "the application could not be dumped, and goes on: $(last_lines "$last/dump.log")"
}
criu_resume() {
  find_tree "$1"
  kill -CONT "${all[@]}"
}
criu_restore() {
  local network=
  # Pages come from the image as they are asked for: the application responds before all are there.
  setsid $ENGINE_COMMAND lazy-pages -D "$last" -o lazy-pages.log </dev/null >/dev/null 2>&1 8>&- 9<&- &
  lazy=$!
  while [ ! -S "$last/lazy-pages.socket" ]; do
    alive "$lazy" || fail "the pages could not be served: $(last_lines "$last/lazy-pages.log")"
    sleep 0.002
  done
  [ ! -e "$last/own-network" ] || network='--inherit-fd fd[9]:app'
  rm -f "$PID_FILE"
  $(as_own_unit) $ENGINE_COMMAND restore -D "$last" -o restore.log -d --lazy-pages --pidfile "$PID_FILE" $network --shell-job --tcp-close 8>&- </dev/null >/dev/null 2>&1 ||
    fail "the application could not be restored: $(grep -h Error "$last/restore.log" | tail -n 3)"
}

cedana_check() {
  command -v "${ENGINE_COMMAND%% *}" >/dev/null || fail "Cedana must be installed, got no '$ENGINE_COMMAND'"
  $ENGINE_COMMAND check >"$own/check.log" 2>&1 || fail "Cedana's daemon must be healthy, got: $(last_lines "$own/check.log")"
}
cedana_can_predump() { false; }
cedana_dump() {
  local options='{"leave_stopped":true,"tcp_close":true,"shell_job":true}'
  $ENGINE_COMMAND dump process "$1" --dir "$last" --name app --compression none --criu-opts "$options" >"$images/dump.err" 2>&1 8>&- ||
    fail "the application could not be dumped: $(last_lines "$images/dump.err")"
}
cedana_resume() { criu_resume "$1"; }
cedana_restore() {
  rm -f "$PID_FILE"
  $(as_own_unit) $ENGINE_COMMAND restore process --path "$last/app" --pid-file "$PID_FILE" --shell-job --tcp-close </dev/null >"$images/restore.err" 2>&1 8>&- ||
    fail "the application could not be restored: $(last_lines "$images/restore.err")"
}

# Once they are there, this host needs them no more.
send() {
  [ -n "$BUCKET" ] && [ ! -e "$last.sent" ] || return 0
  aws s3 cp --quiet --recursive "$last" "$BUCKET/$COPY/$EPOCH" >&2 || fail "the images must reach $BUCKET, got an error of the AWS CLI"
  : >"$last.sent"
  rm -rf "$last" "$images/pre"
}
send_early() { [ -z "$BUCKET" ] || aws s3 cp --quiet --recursive "$images/pre" "$BUCKET/$COPY/pre" >&2 || fail "the images must reach $BUCKET, got an error of the AWS CLI"; }
fetch() {
  [ -n "$BUCKET" ] && [ ! -e "$last.fetched" ] || return 0
  aws s3 cp --quiet --recursive "$BUCKET/$COPY" "$images" >&2 || fail "the images must come from $BUCKET, got an error of the AWS CLI"
  : >"$last.fetched"
}

must_run() {
  find_process
  alive "$process" || fail "an application must run, got none: $PID_FILE has '$process'"
}

check() {
  "${ENGINE}_check"
  must_run
  [ -z "$BUCKET" ] || aws s3 ls "$BUCKET/" >/dev/null 2>&1 || [ $? = 1 ] || fail "this host must be able to list $BUCKET"
  local bytes free
  bytes=$(memory_of "$process")
  free=$(df --output=avail -B1 "$FOLDER" | tail -n 1)
  [ "$free" -gt "$bytes" ] || fail "$FOLDER must have room for $bytes bytes, got $free"
  printf '{"ok":true,"bytes":%s}\n' "$bytes"
}

prepare() {
  must_run
  mkdir -p "$images"
  local bytes=0
  if "${ENGINE}_can_predump"; then
    rm -rf "$images/pre"
    mkdir -p "$images/pre"
    "${ENGINE}_predump" "$process" 2>/dev/null || fail "the memory could not be copied early: $(last_lines "$images/pre/pre-dump.log")"
    send_early
    bytes=$(size_of "$images/pre")
  fi
  printf '{"ok":true,"bytes":%s}\n' "$bytes"
}

dump() {
  in_order 1
  if [ ! -e "$last.dumped" ]; then
    in_time
    must_run
    mkdir -p "$last"
    rm -f "$own/replaced"
    if own_network "$process"; then : >"$last/own-network"; fi
    "${ENGINE}_dump" "$process"
    logs_of "$process" >"$last/logs"
    size_of "$last" >"$last.dumped"
  fi
  send
  printf '{"ok":true,"bytes":%s}\n' "$(cat "$last.dumped")"
}

restore() {
  in_order 1
  local old size mode owner file bytes
  find_process
  old=$process
  if [ -e "$last.restored" ]; then
    alive "$old" || fail "the application that was restored has ended"
    printf '{"ok":true,"bytes":%s}\n' "$(cat "$last.restored")"
    return
  fi
  in_time
  fetch
  bytes=$(size_of "$last")
  if [ -e "$last/own-network" ]; then
    alive "$old" || fail "the network of the application must be there, got no application on this host"
    exec 9<"/proc/$old/ns/net"
  fi
  while read -r size mode owner file; do
    mkdir -p "$(dirname "$file")"
    truncate -s "$size" "$file"
    chmod "$mode" "$file"
    chown "$owner" "$file"
  done <"$last/logs"
  : >"$own/replaced"
  end_tree "$old"
  "${ENGINE}_restore"
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

# Behind an abort: the side that was left goes on.
resume() {
  in_order 2
  must_run
  "${ENGINE}_resume" "$process"
  printf '{"ok":true}\n'
}

# Behind an abort of a rollback that had it go on.
suspend() {
  in_order 2
  must_run
  find_tree "$process"
  kill -STOP "${all[@]}"
  printf '{"ok":true}\n'
}

# Behind an abort: the other side has again what it had, a fresh application.
discard() {
  in_order 2
  if [ -e "$own/replaced" ]; then
    find_process
    end_tree "$process"
    rm -f "$PID_FILE"
    setsid bash -c "$START" </dev/null >/dev/null 2>&1 8>&- &
    local tries=0
    until find_process && alive "$process"; do
      tries=$((tries + 1))
      [ "$tries" -le 400 ] || fail "a fresh application must run within 20 s of: $START"
      sleep 0.05
    done
    rm -f "$own/replaced"
  fi
  forget
  printf '{"ok":true}\n'
}

forget() {
  rm -rf "${FOLDER:?}/copies"
  [ -z "$BUCKET" ] || aws s3 rm --quiet --recursive "$BUCKET/" >&2 || true
}

# When the side that was left is needed no more.
end() {
  find_process
  end_tree "$process"
  forget
  printf '{"ok":true}\n'
}

[ "$EUID" = 0 ] || fail "it must run as root, got user $EUID"
[[ $OSTYPE == linux* ]] || fail "it must run on Linux, got $OSTYPE"
[ -d "$FOLDER/copies" ] && [ -d "$own" ] || mkdir -p "$FOLDER/copies" "$own"
# One call at a time; children must not keep it.
exec 8>"$own/lock"
flock -w 60 8 || fail "another call must end within 60 s"
case $ACTION in
check | prepare | dump | restore | resume | suspend | discard | end) "$ACTION" ;;
*) fail "ACTION must be check, prepare, dump, restore, resume, suspend, discard or end, got '$ACTION'" ;;
esac
