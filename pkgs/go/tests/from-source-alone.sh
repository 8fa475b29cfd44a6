# What was compiled here is all that is compiled, and nothing else is fetched.
cd "$package/go"
compiled=$(find bin pkg/tool -type f | sort)
found=$(grep -rla "$(printf '^\177ELF')" . | sed 's,^\./,,' | sort)
if test "$found" != "$compiled"; then
    echo "ELF files: $found"
    exit 1
fi
test -z "$(find . -name '*.syso')"

# says COMMAND…: the command fails, and this is what it says.
says() {
    if said=$("$@" 2>&1); then exit 1; fi
    echo "$said"
}

export HOME=/build GOCACHE=/build/cache
test "$(go env GOTOOLCHAIN)" = local
mkdir /build/program
cd /build/program
printf 'package main\nfunc main() {}\n' >main.go
printf 'module program\ngo 1.99\n' >go.mod
says go build | grep 'go.mod requires go >= 1.99 (running go .*; GOTOOLCHAIN=local)'
printf 'module program\ngo 1.24\n' >go.mod
says go build -race | grep -x -e '-race is not supported on linux/amd64'
go build
./program
echo passed >"$out"
