#!/usr/bin/env bash
# What proves the engine `cuda` on a machine with an NVIDIA GPU, in one report to paste (docs/gpu.md). It uses no network. A step
# that fails does not keep the rest from running.
set -uo pipefail

usage() {
  cat <<'END'
scripts/gpu-check.sh [options]
  --wheels <folder>  first install TensorFlow from the wheels in it, and its npm packages from the npm cache <folder>/npm
  --out <file>       the report (default gpu-report.md)
  --cpu              the same steps with ENGINE=tensorflow, for a machine without a GPU
  --quick            short measurements: does it all run
TENSORFLOW_DIR is the folder of the install (default .tensorflow in the checkout).
END
}
die() {
  echo "gpu-check: $1" >&2
  exit 2
}

engine=cuda quick='' wheels='' out=gpu-report.md
while [ $# -gt 0 ]; do
  case $1 in
    --cpu) engine=tensorflow ;;
    --quick) quick=1 ;;
    --wheels | --out)
      [ -n "${2:-}" ] || die "$1 needs a path"
      if [ "$1" = --out ]; then out=$2; else wheels=$2; fi
      shift
      ;;
    --help)
      usage
      exit
      ;;
    *)
      usage >&2
      die "unknown option $1"
      ;;
  esac
  shift
done
[ -z "$wheels" ] || compgen -G "$wheels/*.whl" >/dev/null || die "$wheels has no wheels (*.whl)"
out=$(realpath -m "$out") wheels=${wheels:+$(realpath "$wheels")}

cd "$(dirname "$0")/.." || exit 2
export TENSORFLOW_DIR NO_COLOR=1 ENGINE=$engine npm_config_offline=true npm_config_update_notifier=false
TENSORFLOW_DIR=$(realpath -m "${TENSORFLOW_DIR:-.tensorflow}")
install=(install-tensorflow --gpu) doctor=(doctor --gpu)
[ "$engine" = cuda ] || install=(install-tensorflow) doctor=(doctor --engine "$engine")

for command in node npm; do command -v $command >/dev/null || die "no $command here"; done
[ -d node_modules/vitest ] || die 'no development packages in node_modules: copy the checkout from where "npm ci" has run'
if [ "$engine" = cuda ] && ! command -v nvidia-smi >/dev/null && [ ! -e /proc/driver/nvidia/version ]; then
  die 'no NVIDIA driver here (no nvidia-smi, no /proc/driver/nvidia); --cpu runs the same steps without a GPU'
fi
[ -n "$wheels" ] || [ -f "$TENSORFLOW_DIR/install.json" ] ||
  die "TensorFlow is not in $TENSORFLOW_DIR: name --wheels, or copy the folder from where \`resnet-serve ${install[*]}\` has run"
node scripts/build.mjs --if-stale || die 'src/ does not build'
(: >"$out") 2>/dev/null || die "$out cannot be written"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'kill "$child" 2>/dev/null; wait; exit 130' INT TERM
passed=0 failed=0 child=''

# step NAME COMMAND...: a section of the report, with what the command prints. What hangs is killed after half an hour.
step() {
  local name=$1 begin=$SECONDS code verdict
  shift
  echo "=== $name" >&2
  timeout --kill-after=30 1800 "$@" >"$tmp/out" 2>"$tmp/err" &
  child=$!
  wait "$child"
  code=$?
  if [ $code = 0 ]; then
    passed=$((passed + 1)) verdict=passed
  else
    failed=$((failed + 1)) verdict="failed (exit code $code)"
  fi
  {
    printf '\n## %s: %s, %d s\n\n~~~\n$ %s\n' "$name" "$verdict" $((SECONDS - begin)) "$*"
    tail -n 150 "$tmp/out"
    [ $code = 0 ] || tail -n 60 "$tmp/err"
    echo '~~~'
  } | tee -a "$out"
}
{
  echo '# GPU check'
  echo
  echo "$(date -u +%FT%TZ), ENGINE=$engine${quick:+, quick}, commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
} | tee -a "$out"

[ ! -d "$wheels/npm" ] || export npm_config_cache="$wheels/npm"
[ -z "$wheels" ] || step 'install from wheels' node dist/cli/main.js "${install[@]}" --path "$wheels"
[ "$engine" = tensorflow ] || step nvidia-smi nvidia-smi
step doctor node dist/cli/main.js "${doctor[@]}"

# With PARITY_FIXTURES the differences are printed; the operator's may name full-width models.
step 'parity with PyTorch, fp32 and fp16' \
  env PARITY_FIXTURES="${PARITY_FIXTURES:-test/fixtures/parity}" npm run -s test:tensorflow -- test/engines/parity.test.ts

bench=(npm run -s bench -- --engine "$engine" --clients 32 --settle 15 ${quick:+--quick})
sizes=1,8,32,64,128 precisions='fp32 fp16'
[ -z "$quick" ] || sizes=1,8 precisions=fp32
step 'batch sizes, engine alone' "${bench[@]}" --only raw --precisions fp32,fp16 --batches $sizes
for precision in $precisions; do
  step "HTTP and the engine alone, $precision" \
    env PRECISION="$precision" "${bench[@]}" --only raw,closed --precisions "$precision" --batches 1,32
done

[ "$engine" = cuda ] || step 'out of memory, on a double of the GPU' npx vitest run test/workers/cuda.test.ts -t fit
step 'a batch larger than the memory of the GPU' npm run -s test:tensorflow -- test/native/large-batch.test.ts
# Quick: on a GPU an engine takes longer to start than the bound for CPUs, which --quick shows and does not hold.
step 'kill -9 under load' npm run -s soak -- --quick engine-kill

printf '\n%d passed, %d failed\n' $passed $failed | tee -a "$out"
[ $failed = 0 ]
