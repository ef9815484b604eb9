import { script } from './scripts.ts';

/**
 * The remote half of a watch, with the input of the other scripts: below the header a file on each line, up to an empty one, and then directories to look for.
 * Output: for each file `file <path>`, `gate <path>` of what is missing first on the way to it, or `none` if that is outside of the root; then the
 * paths of the first two kinds that changed, a watched directory itself with a `/` behind it, `again` if a directory that was asked for is there, and in between
 * what the program says.
 * It ends, and its program with it, when its input does.
 */
export const watchScript = script(String.raw`
LC_ALL=C; export LC_ALL; set -u
nl='
'
fail() { printf 'fail %s\n' "$*"; exit 0; }
root=
while IFS= read -r line && [ -n "$line" ]; do
  value=\${line#*=}
  eval "\${line%%=*}=\$value"
done
command -v inotifywait >/dev/null 2>&1 || fail missing
base=
if [ -n "$root" ]; then
  cd -P -- "$root" 2>/dev/null || fail no-root
  base=\${PWD%/}
fi

wanted=$nl
set --
while IFS= read -r file && [ -n "$file" ]; do
  at=\${file%/*} next=\${file##*/} kind=file
  until cd -P -- "\${at:-/}" 2>/dev/null; do next=\${at##*/} at=\${at%/*} kind=gate; done
  here=\${PWD%/}
  case $here/ in *"$nl"*) printf 'none\n'; continue ;; "$base"/*) ;; *) printf 'none\n'; continue ;; esac
  printf '%s %s\n' "$kind" "$here/$next"
  case $wanted in *"$nl$here/$next$nl"*) ;; *) wanted=$wanted$here/$next$nl ;; esac
  case $wanted in *"$nl$here/$nl"*) ;; *) wanted=$wanted$here/$nl; set -- "$@" "$PWD" ;; esac
done
[ $# -gt 0 ] || fail outside

# A background job has no input of its own.
exec 3<&0
{
  inotifywait -m --format '%w%f' -e modify,attrib,close_write,move,create,delete,delete_self,move_self,unmount -- "$@" 2>&1 </dev/null 3<&- &
  program=$!
  { while IFS= read -r gate; do [ ! -d "$gate" ] || printf 'again\n'; done; kill "$program"; } <&3 2>/dev/null &
  wait "$program"
  kill "$!" 2>/dev/null
} | while IFS= read -r line; do
  # What happens to other files of the directories stays here.
  case $line in /*) case $wanted in *"$nl$line$nl"*) ;; *) continue ;; esac ;; esac
  printf '%s\n' "$line"
done
`);
