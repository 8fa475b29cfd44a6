# rustc from its released source, compiled by the binary seed: one program for x86_64-unknown-linux-musl, in which LLVM, the C++
# library and everything of rustc's lie, linked with our musl alone. It loads what Rust must load: procedural macros.
{
  bootstrap,
  buildRustPackage,
  rust-std,
  llvm,
}:
let
  inherit (rust-std) version;
  target = "x86_64-unknown-linux-musl";
  # What this release was made from. rustc puts the text into all that it makes, so with another one its programs were others
  # than the seed's.
  commit = {
    hash = "ac68faa20c58cbccd01ee7208bf3b6e93a7d7f96";
    date = "2026-05-25";
  };
  step = import ../../bootstrap/step.nix { shell = "${bootstrap.busybox}/bin/sh"; };

  # The compiler alone, out of the package that the standard library comes from.
  source = step {
    name = "rustc-source-${version}";
    inherit (rust-std) source;
    script = ./source.sh;
    tools = [
      bootstrap.sed
      bootstrap.binutils-pass1
      bootstrap.busybox
    ];
    variables = { inherit version; };
  };

  # The unwinder lies in GCC's own library. rustc asks for the shared one, which our GCC has not.
  unwinder = step {
    name = "libgcc-as-shared";
    source = bootstrap.gcc;
    script = builtins.toFile "libgcc-as-shared.sh" ''
      mkdir -p "$out/lib"
      echo "INPUT(libgcc.a)" >"$out/lib/libgcc_s.so"
    '';
    tools = [ bootstrap.busybox ];
  };
in
buildRustPackage {
  pname = "rustc";
  inherit version source;
  cargoLock = ./Cargo.lock;
  cargoFlags = [
    "--manifest-path=compiler/rustc/Cargo.toml"
    "--features=llvm"
  ];

  # musl, whose loader runs it, is in it; tests look at the closure of pkgs.rust-rebuilt.
  allowedReferences = null;

  tools = [ bootstrap.gcc ];
  variables = {
    # What upstream's own build says to the compiler's crates.
    RUSTC_BOOTSTRAP = "1";
    CFG_RELEASE = version;
    CFG_RELEASE_CHANNEL = "stable";
    CFG_VERSION = "${version} (${builtins.substring 0 9 commit.hash} ${commit.date}) (built from a source tarball)";
    CFG_VER_HASH = commit.hash;
    CFG_VER_DATE = commit.date;
    CFG_DISABLE_UNSTABLE_FEATURES = "1";
    CFG_COMPILER_HOST_TRIPLE = target;
    CFG_DEFAULT_CODEGEN_BACKEND = "llvm";
    CFG_LIBDIR_RELATIVE = "lib";
    CFG_VIRTUAL_RUST_SOURCE_BASE_DIR = "/rustc/${version}";
    RUSTC_INSTALL_BINDIR = "bin";
    LLVM_CONFIG = "${llvm}/bin/llvm-config";
    # Where cargo runs on another platform than the target, rustc_llvm doesn't ask llvm-config for it.
    LLVM_LINKER_FLAGS = "-L${llvm}/lib";
    LLVM_STATIC_STDCPP = "${bootstrap.gcc}/lib/libstdc++.a";
    REAL_LIBRARY_PATH_VAR = "LD_LIBRARY_PATH";

    # Its crates are large: more units at once, still as many on each machine.
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS = "16";

    CC_x86_64_unknown_linux_musl = "gcc";
    CXX_x86_64_unknown_linux_musl = "g++";
    RUSTFLAGS = builtins.concatStringsSep " " [
      "--cfg=rustix_use_libc"
      "--check-cfg=cfg(bootstrap)"
      "-Ctarget-feature=-crt-static"
      "-Clinker=gcc"
      "-Clinker-flavor=gcc"
      "-Lnative=${unwinder}/lib"
      # Makes our GCC link with shared libraries.
      "-Clink-arg=-rdynamic"
    ];
  };

  meta = {
    description = "Compiler of Rust, built from its source";
    homepage = "https://www.rust-lang.org/";
    license = "MIT OR Apache-2.0";
    mainProgram = "rustc";
    platforms = [ "x86_64-linux" ];
  };
}
