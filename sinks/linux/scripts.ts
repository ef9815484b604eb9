/**
 * The remote half of the driver: POSIX `sh` with coreutils or busybox, the same over every transport.
 *
 * Input: the script in base64 on the first line, a header of `name=value` lines up to an empty one, then raw bytes of known lengths.
 * Output: `name value` lines, a line without a space goes on with the value before it; the last one is `end …`, or `fail <code> <detail>`.
 * Anything else was cut off.
 * Values only ever travel on stdin and stdout and into files of mode 0600 beside the target; never in argv, environment or stderr.
 * Every command is a process, and processes are what the time goes into: no more of them than it takes.
 */
export const BOOT = 'IFS= read -r s && s=$(printf %s "$s" | base64 -d) && eval "$s"';

const PRELUDE = String.raw`
LC_ALL=C; export LC_ALL; umask 077; set -u
fail() { printf 'fail %s\n' "$*"; exit 0; }
headed=
while IFS= read -r line; do
  [ -n "$line" ] || { headed=1; break; }
  value=\${line#*=}
  eval "\${line%%=*}=\$value"
done
[ "$headed" ] || fail truncated
for tool in base64 chmod chown date flock head mkdir mv rm sed sha256sum stat sync tail tr wc; do
  command -v "$tool" >/dev/null 2>&1 || fail missing "$tool"
done

# Runs a command that has to work; what the system says of it if not is the reason.
must() { out=$("$@" 2>&1) || { out=\${out%%
*}; fail system "\${out##*: }"; }; }

# Sets seen to "type-and-mode mode owner size", not following a link. False only if it is certain that nothing is there.
probe() {
  seen=$(stat -c '%f %a %u:%g %s' -- "$1" 2>&1) && return 0
  case $seen in *': No such file or directory') return 1 ;; esac
  fail system "\${seen##*: }"
}
inside() { case \${PWD%/}/ in "$base"/*) ;; *) fail outside "$PWD" ;; esac; }

# Makes the place's directory the working directory, by its physical path: no link that is made later can lead elsewhere.
# False if it is not there; with create=1 it is made.
enter() {
  base=
  if [ -n "$root" ]; then
    cd -P -- "$root" 2>/dev/null || { probe "$root/." || fail no-root; fail system 'Permission denied'; }
    base=\${PWD%/}
  fi
  cd -P -- "\${dir:-/}" 2>/dev/null && { inside; return 0; }
  # Which of the many reasons: find the last directory on the way that is there.
  at=$dir
  until probe "$at/."; do
    if [ -L "$at" ]; then fail dangling "$at"; fi
    at=\${at%/*}
  done
  cd -P -- "\${at:-/}" 2>/dev/null || fail system 'Permission denied'
  inside
  # Somebody else has made it in between.
  [ "$at" != "$dir" ] || return 0
  [ "$create" = 1 ] || return 1
  must make_directory
  cd -P -- "$dir" 2>/dev/null || fail system 'Permission denied'
  inside
}
make_directory() { umask 022; mkdir -p -- "$dir"; }

# Sets sum, mode, owner and size of a regular file; sum=absent if there is none.
measure() {
  sum=absent mode= owner= size=0
  regular "$1" || return 0
  must digest "$1"
  sum=\${out%% *}
}
# Sets mode, owner and size. False if nothing is there; anything but a regular file is a failure.
regular() {
  probe "./$1" || return 1
  set -- "$1" $seen
  case $2 in 8???) ;; a???) fail symlink "$1" ;; 4???) fail directory "$1" ;; *) fail special "$1" ;; esac
  mode=$3 owner=$4 size=$5
}
digest() { sha256sum <"./$1"; }

ledger=.$file.vartrack undo=.$file.vartrack.undo
`;

// The ledger is looked at before and after the content, so that the two belong together; the caller asks again if it moved.
const READ = String.raw`
send() {
  if ! regular "$2"; then printf '%s absent\n' "$1"; return 0; fi
  [ "$size" -le "$max" ] || fail large "$size"
  printf '%s \n' "$1"
  base64 <"./$2" || fail system "$(base64 2>&1 >/dev/null <"./$2" | sed 's/.*: //')"
}
create=0
if ! enter; then printf 'content absent\nledger absent\nagain absent\nundo absent\nend read\n'; exit 0; fi
send ledger "$ledger"
send content "$file"
if [ "$undone" = 1 ]; then
  if regular "$undo"; then
    printf 'undo \n'; head -n 2 <"./$undo" | base64
  else printf 'undo absent\n'
  fi
fi
measure "$ledger"; printf 'again %s\n' "$sum"
printf 'end read\n'
`;

// From here on the file descriptor of the lock must not reach the user's commands: a service that one of them starts would keep it for ever.
const LOCKED = String.raw`
temp=.$file.vartrack.tmp.$id
trap 'rm -f -- "./$temp".*' EXIT
trap 'exit 1' HUP INT TERM PIPE
receive() { cat >"./$temp.in"; }
# Temporary files of writers that were killed, an hour after.
sweep() {
  for left in "./.$file.vartrack.tmp".*; do
    case $left in "./$temp".*) continue ;; esac
    now=$(date +%s)
    made=$(stat -c %Y -- "$left" 2>/dev/null) || continue
    [ "$((now - made))" -lt 3600 ] || rm -f -- "$left"
  done
}
lock() {
  [ -e "./.$file.vartrack.lock" ] || must open_lock
  exec 9>>"./.$file.vartrack.lock"
  flock 9 || fail system 'the lock cannot be taken'
  sweep
}
open_lock() { : >>"./.$file.vartrack.lock"; }
run() {
  FILE="$PWD/$2" timeout "$limit" sh -c "$3" </dev/null >/dev/null 2>"./$temp.err" 9>&-
  code=$?
  [ "$code" = 0 ] || fail "$1" "$code" "$(tail -n 1 -- "./$temp.err" | head -c 300 | base64 | tr -d '\n')"
}
with_timeout() { command -v timeout >/dev/null 2>&1 || fail missing timeout; }
# Gives a temporary file a mode and an owner; without the latter it stays ours.
own() {
  regular "$1" || fail system 'No such file or directory'
  # chown before chmod: it takes set-uid bits away.
  if [ "$3" ] && [ "$owner" != "$3" ]; then must chown -- "$3" "./$1"; mode=; fi
  [ "$mode" = "$2" ] || must chmod -- "$2" "./$1"
}
`;

const APPLY = String.raw`
[ -z "$validate$reload" ] || with_timeout
enter || fail no-directory
must receive
[ "$(wc -c <"./$temp.in")" -eq "$((content_size + intent_size + ledger_size))" ] || fail truncated
new=$temp.new
case $file in ?*.*) new=$new.\${file##*.} ;; esac
split_content() { head -c "$content_size" <"./$temp.in" >"./$new"; }
split_intent() { tail -c "+$((content_size + 1))" <"./$temp.in" | head -c "$intent_size" >"./$temp.intent"; }
split_ledger() { tail -c "$ledger_size" <"./$temp.in" >"./$temp.ledger"; }
must split_content; must split_intent; must split_ledger
[ -z "$validate" ] || [ "$touched" = 0 ] || run validate "$new" "$validate"

lock
measure "$ledger"; have=$sum
# A target that is given up leaves nothing behind; without a ledger it was done before.
if [ "$remove" = 1 ]; then
  [ "$have" != absent ] || { printf 'end already\n'; exit 0; }
  measure "$file"
  [ "$have" = "$base_ledger" ] && [ "$sum" = "$base_content" ] || fail conflict
  if [ "$touched" = 1 ]; then
    must rm -f -- "./$file"
    [ -z "$reload" ] || run reload "$file" "$reload"
  fi
  must rm -f -- "./$undo" "./$ledger" "./.$file.vartrack.lock"
  must sync -- .
  printf 'end removed\n'
  exit 0
fi
measure "$file"; current=$sum current_mode=\${mode:--} current_owner=\${owner:--}
[ "$have" != "$ledger_sum" ] || { printf 'end already\n'; exit 0; }
resume=0
if [ "$have" = "$intent_sum" ]; then
  case $current in "$content_sum" | "$base_content") resume=1 ;; *) fail conflict ;; esac
elif [ "$have" != "$base_ledger" ] || [ "$current" != "$base_content" ]; then fail conflict
fi

if [ "$current" = absent ]; then
  keep=$new_mode whose=$new_owner
else keep=$current_mode whose=$current_owner
fi
[ "$touched" = 0 ] || own "$new" "$keep" "$whose"

# An unfinished write that goes on, or that this one replaces, is undone to what was there before it, not to its half.
first=
if [ "$inherit" != 0 ] && regular "$undo"; then
  IFS= read -r first <"./$undo" || first=
  case $first in "vartrack-undo 1 $inherit "*) ;; *) first= ;; esac
fi
record() {
  if [ "$first" ]; then
    set -- $first
    printf 'vartrack-undo 1 %s 1 %s %s %s %s %s,%s\n' "$generation" "$5" "$6" "$7" "$content_sum" "$current" "$8" && tail -n +2 "./$undo"
  else
    printf 'vartrack-undo 1 %s %s %s %s %s %s\n' "$generation" "$touched" "$current" "$current_mode" "$current_owner" "$content_sum" || return 1
    [ "$have" = absent ] || base64 <"./$ledger" | tr -d '\n' || return 1
    printf '\n' || return 1
    [ "$current" = absent ] || [ "$touched" = 0 ] || cat <"./$file"
  fi
}
store_undo() { record >"./$temp.undo"; }
if [ "$resume" = 0 ]; then
  must store_undo
  must sync -- "./$new" "./$temp.intent" "./$temp.ledger" "./$temp.undo"
  must mv -f -- "./$temp.undo" "./$undo"
  [ "$touched" = 0 ] || must mv -f -- "./$temp.intent" "./$ledger"
  must sync -- .
fi
if [ "$touched" = 1 ]; then
  must mv -f -- "./$new" "./$file"
  [ -z "$reload" ] || run reload "$file" "$reload"
fi
must mv -f -- "./$temp.ledger" "./$ledger"
must sync -- .
printf 'end applied\n'
`;

const RESTORE = String.raw`
[ -z "$reload" ] || with_timeout
create=0
enter || fail conflict
must receive
[ "$(wc -c <"./$temp.in")" -eq "$ledger_size" ] || fail truncated
lock
measure "$ledger"; [ "$sum" = "$base_ledger" ] || fail conflict
regular "$undo" || fail no-undo
IFS= read -r first <"./$undo" || fail no-undo
set -- $first
case "$1 $2 $3" in "vartrack-undo 1 $generation") ;; *) fail no-undo ;; esac
touched=$4 old=$5 old_mode=$6 old_owner=$7 wrote=$8
if [ "$touched" = 1 ]; then
  measure "$file"
  case ",$old,$wrote," in *",$sum,"*) ;; *) fail changed ;; esac
  if [ "$old" = absent ]; then
    must rm -f -- "./$file"
  else
    extract() { tail -n +3 "./$undo" >"./$temp.old"; }
    must extract
    measure "$temp.old"; [ "$sum" = "$old" ] || fail no-undo
    own "$temp.old" "$old_mode" "$old_owner"
    must sync -- "./$temp.old"
    must mv -f -- "./$temp.old" "./$file"
  fi
  [ -z "$reload" ] || run reload "$file" "$reload"
fi
must sync -- "./$temp.in"
must mv -f -- "./$temp.in" "./$ledger"
must sync -- .
printf 'end restored\n'
`;

/** Gives content, ledger and, with `undone=1`, the head of the undo record. */
export const readScript = script(PRELUDE, READ);
/** Writes content and ledger if both are still what the plan was made from. */
export const applyScript = script(PRELUDE, LOCKED, APPLY);
/** Puts back what the undo record of one generation holds. */
export const restoreScript = script(PRELUDE, LOCKED, RESTORE);

/** Comments and indentation stay here: the far shell reads its input byte by byte. A `\${` stands for `${`. */
export function script(...parts: readonly string[]): string {
  return parts
    .join('\n')
    .replaceAll('\\${', '${')
    .split('\n')
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .join('\n');
}
