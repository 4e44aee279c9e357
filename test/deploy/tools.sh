# What the checks of deploy/ need, installed outside of the checkout, once: Helm, kubeconform and Compose's own library, all built from
# the Go module proxy, and the schemas of Kubernetes and of the operators whose resources we write. Sourced by run.sh.

HELM=v3.22.0
KUBECONFORM=v0.8.0
# The oldest that the chart takes, and the newest there are schemas of.
KUBERNETES='1.27.0 1.37.0'
# Kubernetes' schemas, from its OpenAPI documents.
KUBERNETES_VALIDATE=1.37.0
# The operators' modules, and the definitions in them.
CUSTOM_RESOURCES='
github.com/kedacore/keda/v2@v2.20.2 config/crd/bases/keda.sh_scaledobjects.yaml
github.com/prometheus-operator/prometheus-operator@v0.85.0 example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml
github.com/prometheus-operator/prometheus-operator@v0.85.0 example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml
github.com/kserve/kserve@v0.17.0 config/crd/full/serving.kserve.io_servingruntimes.yaml
github.com/kserve/kserve@v0.17.0 config/crd/full/serving.kserve.io_inferenceservices.yaml
sigs.k8s.io/gateway-api@v1.6.1 config/crd/standard/gateway.networking.k8s.io_httproutes.yaml
'

cache=${XDG_CACHE_HOME:-$HOME/.cache}/resnet-serve
tools=$cache/bin
schemas=$cache/deploy/schemas
python=$cache/deploy/python
mkdir -p "$tools" "$cache/deploy"

command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin
command -v go >/dev/null || { echo 'Go is not installed; it builds Helm, kubeconform and compose-go' >&2; exit 1; }

# has PROGRAM MODULE@VERSION: whether the program there was built from that.
has() {
  [ -x "$tools/$1" ] && go version -m "$tools/$1" | grep --quiet --fixed-strings "$(printf 'mod\t%s\t%s' "${2%@*}" "${2#*@}")"
}
has helm "helm.sh/helm/v3@$HELM" || GOBIN=$tools go install "helm.sh/helm/v3/cmd/helm@$HELM"
has kubeconform "github.com/yannh/kubeconform@$KUBECONFORM" ||
  GOBIN=$tools go install "github.com/yannh/kubeconform/cmd/kubeconform@$KUBECONFORM"
(cd test/deploy/compose && go build -o "$tools/compose-config" .)

# Whatever changes below is in these two files.
made=$(cat test/deploy/tools.sh test/deploy/crd-schemas.py | sha256sum)
if [ "$(cat "$schemas/made" 2>/dev/null)" != "$made" ]; then
  rm -rf "$schemas"
  mkdir -p "$schemas/custom"
  [ -x "$python/bin/pip" ] || python3 -m venv "$python"
  "$python/bin/pip" install --quiet --disable-pip-version-check "kubernetes-validate==$KUBERNETES_VALIDATE"
  shipped=$("$python/bin/python" -c 'import kubernetes_validate as k; print(k.__path__[0])')/kubernetes-json-schema
  for version in $KUBERNETES; do
    cp -R "$shipped/v$version-local-strict" "$schemas/$version"
    # They name themselves and each other by addresses that only the package's own reader knows: by files, for kubeconform.
    sed -i 's|"/api/_definitions.json|"_definitions.json|; s|"\$id"|"x-id"|' "$schemas/$version"/*.json
  done
  while read -r module file; do
    [ -n "$module" ] || continue
    told=$(cd / && go mod download -json "$module") || { echo "$told" >&2; exit 1; }
    folder=$(sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p' <<<"$told")
    "$python/bin/python" test/deploy/crd-schemas.py "$folder/$file" "$schemas/custom"
  done <<<"$CUSTOM_RESOURCES"
  echo "$made" >"$schemas/made"
fi
