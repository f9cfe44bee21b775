# Copyright (c) The vault-plugin-secrets-mastersindia authors
# SPDX-License-Identifier: MPL-2.0
#
# Sourced by the scripts, in the root of the checkout: source scripts/lib/arguments.bash LEAST MOST "$@"
# Prints the comment at the top of the script for -help, and the version of the project for -version. Refuses unknown options, and
# fewer than LEAST or more than MOST arguments.
script="scripts/${0##*/}" least="$1" most="$2"
[ -f "$script" ] || script="scripts/release/${0##*/}"
shift 2
wrong() { printf 'Error: %s\nRun %s -help for how to use it.\n' "$*" "$script" >&2; exit 2; }
case "${1:-}" in
  -h | -help | --help) sed -n '5,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$script"; exit 0 ;;
  -version | --version) printf '%s %s\n' "$script" "$(cat VERSION)"; exit 0 ;;
  -*) wrong "unknown option $1" ;;
esac
[ "$#" -ge "$least" ] || wrong "an argument is missing"
[ "$#" -le "$most" ] || wrong "too many arguments"
