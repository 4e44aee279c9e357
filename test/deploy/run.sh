#!/usr/bin/env bash
# Checks everything under deploy/ and the compose files with their own tools: `npm run test:deploy`. After a wanted change of the
# chart, `npm run test:deploy -- -u` writes its golden renders anew.
set -euo pipefail
cd "$(dirname "$0")/../.."

source test/deploy/tools.sh
PATH=$tools:$PATH:/usr/sbin SCHEMAS=$schemas exec npx vitest run --config vitest.deploy.config.ts "$@"
