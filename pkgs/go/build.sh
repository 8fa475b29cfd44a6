# One hop from Go to Go: the compiler, linker, tools and library of $source, built by the Go of $GOROOT_BOOTSTRAP.
. "$setup"
for file in $unwanted; do rm "$file"; done
# Programs without source, which the linker would take into what it links: race detectors of LLVM's, and BoringSSL. `-race` and
# GOEXPERIMENT=boringcrypto go with them.
find . -name '*.syso' -exec rm {} +
if test -n "$patches"; then "$patch" . $patches; fi
# Go reads its own name from this file; Debian's archives have it, but git's wouldn't.
test -f VERSION
# Nor is a prebuilt Go fetched where a go.mod asks for a newer one. 1.19 can't do that yet, and has no such file.
if test -f go.env; then
    sed -i -e 's/^# Automatically download newer toolchains.*/# Newer toolchains are not downloaded, whatever go.mod files ask for./' \
        -e 's/^GOTOOLCHAIN=auto$/GOTOOLCHAIN=local/' go.env
    grep -qx GOTOOLCHAIN=local go.env
fi
# The tree is its own GOROOT: that is where Go looks for its library, and the path is in no program (-trimpath).
mkdir -p "$out"
cp -rp . "$out/go"
cd "$out/go/src"
mkdir -p /build/home
export HOME=/build/home GOROOT="$out/go" GOCACHE=/build/cache GOPATH=/build/path GOTOOLCHAIN=local GOTELEMETRY=off
export CGO_ENABLED=0 GOFLAGS=-trimpath GOMAXPROCS="$NIX_BUILD_CORES"
bash make.bash
cd "$out/go"
# Tests, the first compiler and what is for other systems' browsers, phones and documents.
rm -rf test api doc misc pkg/bootstrap pkg/obj bin/*_* .git* src/*.bat src/*.rc pkg/tool/linux_amd64/{api,dist}
find . -type d -name testdata -prune -exec rm -rf {} +
find . -name '*_test.go' -exec rm {} +
mkdir "$out/bin"
ln -s ../go/bin/go "$out/bin/go"
ln -s ../go/bin/gofmt "$out/bin/gofmt"
