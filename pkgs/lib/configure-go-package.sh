# Where Go finds what a program needs, see build-go-package.nix: in the folder `vendor` alone, and nothing on a network.
export HOME=/build/home GOCACHE=/build/cache GOPATH=/build/path GOTOOLCHAIN=local GOPROXY=off GOTELEMETRY=off
export GOFLAGS="-trimpath -buildvcs=false -p=$NIX_BUILD_CORES"
mkdir -p "$HOME"
if test -n "$vendor"; then
    rm -rf vendor go.sum
    cp -r "$vendor" vendor
    chmod -R u+w vendor
    sed -n '/^module /p; /^go /p' go.mod >/build/go.mod
    sed -n '/^# / { s/^# /require /; p; }' vendor/modules.txt >>/build/go.mod
    mv /build/go.mod go.mod
    GOFLAGS="$GOFLAGS -mod=vendor"
fi
