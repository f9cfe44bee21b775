# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0
#
# Sourced by the scripts that build a program from source once, in the root of the checkout, after say and die are defined:
#   build FILE PACKAGES MODULE ARGUMENTS...
# runs go build in the folder MODULE with the arguments, reports progress every half minute, and moves the program to FILE.
# PACKAGES is about how many packages it compiles. Only one build runs at a time.
build_work='' build_group=''

# An interrupted build leaves neither compilers running nor half a program under the final name.
build_cleanup() {
  [ -z "$build_group" ] || { kill -- "-$build_group" && wait "$build_group"; } 2>/dev/null || true
  [ -z "$build_work" ] || rm -rf "$build_work"
}
trap build_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

build() {
  local file="$1" packages="$2" module="$3" began="$SECONDS" next="$((SECONDS + 30))" log
  shift 3
  mkdir -p bin
  build_work="$(mktemp -d "$PWD/bin/.build.XXXXXX")"
  log="$build_work/log"
  set -m # The build gets a process group of its own, so that build_cleanup ends the compilers as well.
  GOTMPDIR="$build_work" CGO_ENABLED=0 go build -C "$module" -v -trimpath -buildvcs=false -o "$build_work/program" "$@" >"$log" 2>&1 &
  build_group=$!
  set +m
  while kill -0 "$build_group" 2>/dev/null; do
    sleep 1
    [ "$SECONDS" -ge "$next" ] || continue
    next=$((SECONDS + 30))
    say "$(((SECONDS - began) / 60)) min $(((SECONDS - began) % 60)) s:" \
      "$(grep -c '^go: downloading' "$log" || true) modules downloaded," \
      "$(grep -vc '^go: ' "$log" || true) of about $packages packages compiled"
  done
  wait "$build_group" || { build_group='' && tail -n 20 "$log" >&2; die "building $file failed: see above"; }
  build_group=''
  mv -f "$build_work/program" "$file"
  rm -rf "$build_work"
  say "built $file in $(((SECONDS - began) / 60)) min $(((SECONDS - began) % 60)) s"
}
