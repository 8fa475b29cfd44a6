# The Debian packages that the seed is unpacked from, as released in Debian 13. Each is a binary that no step of the
# bootstrap makes, and says so in `binarySeed`, which `sx seeds` prints wherever one of them is in a closure of builds.
#
# Eight packages, not the sixty that Debian's dependencies come to: the libraries for what isn't done here (fetching
# crates, keeping a database of them, proving theorems, editing lines) are replaced by stand-ins, see stand-ins.sh.
#
# When a point release of Debian takes a file off its mirrors, Debian's snapshots still have it: give one of a day before
# as a mirror, `--debian-mirror https://snapshot.debian.org/archive/debian/DATE`.
{ fetch }:
let
  binarySeed = "rustc is written in Rust; removed by mrustc, a compiler in C++ that builds rustc 1.74, and every release from there on, each built by the one before";

  package =
    source: file: hash:
    fetch {
      # A store path has no `~` in its name.
      name = builtins.replaceStrings [ "~" ] [ "-" ] file;
      inherit hash binarySeed;
      debian = {
        package = source;
        inherit file;
      };
    };
in
[
  (package "rustc-web" "rustc-web_1.96.0+dfsg1-1~deb13u1+b1_amd64.deb" "sha256-ctqdw3C7wN6JgTlJw7EwtEI51ne9PlaJM4SQgVPHxdw=")
  (package "rustc-web" "libstd-rust-web-1.96_1.96.0+dfsg1-1~deb13u1+b1_amd64.deb" "sha256-qbPeiUWHckJUVyUUMsKTeuA/yEcq1fElTopex15uY+M=")
  (package "rustc-web" "libstd-rust-web-dev_1.96.0+dfsg1-1~deb13u1+b1_amd64.deb" "sha256-WtRzBalRq1uJlTxF46TFbBIs9hBGFZXzfOSJB7PA7YM=")
  (package "rustc-web" "cargo-web_1.96.0+dfsg1-1~deb13u1+b1_amd64.deb" "sha256-OhrAA4+cXKzDaxQ2PpTWAwcYliEhYbUmIWWsd738nT8=")
  (package "llvm-toolchain-22" "libllvm22_22.1.8-1~deb13u5_amd64.deb" "sha256-KymdBhUFTfjPC9n5m1G60cRZXuT6bNphwGAXb5CVBWY=")
  (package "glibc" "libc6_2.41-12+deb13u5_amd64.deb" "sha256-tZsGJc0aeRN11A2rI6TV09BkHj0KdzUBvs3Dclt/mc8=")
  (package "gcc-14" "libgcc-s1_14.2.0-19_amd64.deb" "sha256-PHGRe0kNGheu1DGWonh6JW7PBgUmzbICFqdL7cBhsVA=")
  (package "gcc-14" "libstdc++6_14.2.0-19_amd64.deb" "sha256-qx+gWDeqepKq50j9B6GKNffRi7SnHEck/iu/DjIIneA=")
]
