#!/usr/bin/env bash
# Calibrates the machine that it runs on and validates archcost's estimates there, with nothing but
# this folder, a Python that has torch, and no network. docs/cuda.md says what comes out.
set -euo pipefail

usage() {
  cat <<TEXT
Usage: run.sh [--device cuda|cpu] [--minutes N] [--from FOLDER] [--quick]

  --device DEVICE  what is measured; cuda, or cuda:1, or cpu  [default: cuda]
  --minutes N      time for everything together  [default: 25]
  --from FOLDER    go on from the results of an earlier run
  --quick          few small networks, short measurements: does all of it work?

Results go to \$OUT, else ./cuda-results. PYTHON names another Python.
A second run with the same \$OUT, or with --from, goes on where the first ended.
TEXT
}

device=cuda minutes=25 earlier='' quick=''
while [ $# -gt 0 ]; do
  case $1 in
    --device | --minutes | --from)
      [ $# -gt 1 ] || { echo "run.sh: $1 needs a value" >&2; exit 2; }
      case $1 in
        --device) device=$2 ;;
        --minutes) minutes=$2 ;;
        --from) earlier=$2 ;;
      esac
      shift ;;
    --quick) quick=1 ;;
    -h | --help) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
case $minutes in
  '' | *[!0-9]* | 0*) echo "run.sh: --minutes takes a whole number, not '$minutes'" >&2; exit 2 ;;
esac
[ -z "$earlier" ] || [ -d "$earlier" ] || { echo "run.sh: there is no folder $earlier" >&2; exit 2; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}
out=${OUT:-cuda-results}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
end=$((SECONDS + minutes * 60))
report=120  # seconds that are kept for writing the reports
name=validation-${device%%:*}  # as `make validation-report` expects them in reports/
table=$out/$name.yaml
measurements=$out/$name.jsonl

if [ -n "$earlier" ] && [ "$(cd "$earlier" && pwd)" != "$out" ]; then
  for file in log.txt tests.txt "$name".yaml {"$name",samples,channels-last}.jsonl; do
    [ ! -e "$earlier/$file" ] || cp --no-preserve=mode "$earlier/$file" "$out"
  done
fi

say() { echo "run.sh $(date -u +%H:%M:%S): $*"; }

# A step that fails or has used up its time is said, and the next one begins.
failed=()
step() {  # step NAME SECONDS COMMAND...; its status is that of the command, 75 where none is left
  local name=$1 seconds=$2 left=$((end - SECONDS)) status=0
  shift 2
  [ "$seconds" -le "$left" ] || seconds=$left
  if [ "$seconds" -lt 10 ]; then
    say "$name: no time left"
    failed+=("$name: no time left")
    return 75
  fi
  say "$name, at most $seconds s: $*"
  # INT, as from a keyboard: what was measured is kept.
  timeout --foreground --signal=INT --kill-after=20 "$seconds" "$@" || status=$?
  say "$name: status $status"
  case $status in
    0) ;;
    124 | 137) failed+=("$name: its time is used up") ;;
    *) failed+=("$name: status $status") ;;
  esac
  return "$status"
}

archcost() {  # archcost NAME SECONDS FILE ARGUMENT...; done is what wrote FILE
  local count=${#failed[@]}
  rm -f "$3"
  step "$1" "$2" "$python" -m archcost.cli "${@:4}" -o "$3" && return
  [ -s "$3" ] || return 1
  failed=("${failed[@]:0:$count}")  # status 1 is an answer: "not all is within the bars", or so
}

install() {
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || { say "$python is older than Python 3.11"; return 2; }
  "$python" -c 'import torch' || { say "$python has no torch"; return 2; }
  local names
  names=$(cd "$here/wheels" && ls ./*.whl | sed -E 's|^\./([^-]+)-.*|\1|' | sort -u | grep -vx pip)
  # shellcheck disable=SC2086  # names are words
  "$python" "$(echo "$here"/wheels/pip-*.whl)/pip" --isolated --quiet \
    --disable-pip-version-check install --no-index --no-deps --no-cache-dir \
    --root-user-action=ignore --no-warn-script-location \
    --find-links "$here/wheels" --target "$work/site" $names || return 2
  # None of the wheels is torch or of what torch requires: those remain the machine's own.
  export PYTHONPATH=$work/site PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
  export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
  cd "$work"  # no module of wherever this was started is imported
}

about() {
  "$python" - <<'CODE'
import platform
import torch
from archcost import __version__
print(f"archcost {__version__}, Python {platform.python_version()}, {platform.platform()}")
print(f"torch {torch.__version__} of {torch.__file__}")
print(f"CUDA {torch.version.cuda}, available: {torch.cuda.is_available()}")
CODE
  ! command -v nvidia-smi > /dev/null || nvidia-smi || true
}

# The dtypes that the calibrated device has a figure for, those first that the bars speak of.
dtypes() {
  "$python" - "$table" <<'CODE'
import sys
from archcost.hardware.files import load
peak = load(sys.argv[1]).peak
print(",".join(dtype for dtype in ("fp32", "bf16", "tf32", "fp16") if dtype in peak))
CODE
}

run() {
  say "$(basename "$0") --device $device --minutes $minutes${quick:+ --quick}"
  install || return
  about

  if grep -Eqs '^[0-9]+ (passed|failed|skipped).* in [0-9.]+s' "$out/tests.txt"; then
    say "tests: done before"
  else
    step tests 240 "$python" -m pytest -q -m cuda -p no:cacheprovider -W default \
      -c "$here/pyproject.toml" "$here/tests" > >(tee "$out/tests.txt") || true
  fi

  local stacks counts='400 100'  # the fewer where there is no time for the more
  [ -z "$quick" ] || counts=20
  for stacks in $counts; do
    [ ! -e "$table" ] || { say "calibrate: done"; break; }
    step calibrate 480 "$python" -m archcost.cli calibrate --device "$device" --repeats 1 \
      --stacks "$stacks" --device-file "$table" --samples "$out/samples.jsonl" || true
  done
  if [ ! -e "$table" ]; then
    say "without a calibrated device there is nothing to validate"
    return 1
  fi

  local networks=() repeats=24 batches=1,8,64 known all ending
  local familiar=(alexnet vgg16 googlenet resnet18 resnet50 resnet152 inception-v3 densenet121)
  familiar+=(squeezenet mobilenet-v1 simplenet)
  all=$(dtypes)
  if [ -n "$quick" ]; then
    networks=(lenet5 simplenet-310k squeezenet-1.1 mobilenet-v1)
    familiar=("${networks[@]}")
    repeats=1 batches=1,2 all=${all%%,*}
  elif [ "$device" = cpu ]; then
    batches=1,8 all=fp32
  fi
  # fp32 and bf16 at first: whatever there is no time for is the rest.
  for known in $(printf '%s\n' "$(cut -d, -f-2 <<< "$all")" "$all" | uniq); do
    archcost validate $((end - SECONDS - report)) "$work/validation.csv" validate \
      "${networks[@]}" --device "$table" --on "$device" --batch "$batches" --dtype "$known" \
      --repeats "$repeats" --record "$measurements" --format csv || break
  done
  if [ "$device" != cpu ] && [ ! -e "$out/channels-last.jsonl" ]; then
    # How much the layout matters, of which estimates know nothing.
    archcost channels-last $((end - SECONDS - report)) "$work/channels-last.csv" measure \
      "${familiar[@]}" --device "$device" --dtype bf16,fp16 --batch 64 --channels-last \
      --min-run-time 0.5 --record "$out/channels-last.jsonl" --format csv || true
  fi
  if [ -e "$measurements" ]; then
    for ending in md json; do
      archcost report $report "$out/$name.$ending" validate --device "$table" \
        --measurements "$measurements" || true
    done
  fi

  [ ${#failed[@]} = 0 ] || { say "not done:" "${failed[@]/#/$'\n  '}"; return 1; }
  say "done"
}

status=0
run 2>&1 | tee -a "$out/log.txt" || status=${PIPESTATUS[0]}
ls -l "$out"
exit "$status"
