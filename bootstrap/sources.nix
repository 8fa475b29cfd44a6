# The sources of the climb from TinyCC towards GCC, each pinned: `<name>.archive` as fetched, `<name>.source` unpacked.
#
# Upstream's address stands first where upstream published these very bytes. Debian's archives of the others are
# packed anew, most to leave out documentation that Debian cannot distribute.
{ fetch, run }:

let
  source = import ./source.nix { inherit fetch; };

  # Archives whose source is one of the archives inside.
  nested =
    inner: arguments:
    let
      outer = source (arguments // { name = "${arguments.name}-archives"; });
      archive = derivation {
        name = inner;
        system = "x86_64-linux";
        builder = run;
        args = [ (builtins.toFile "copy.run" "copy \${archives}/${inner} \${out}\n") ];
        archives = outer.source;
      };
    in
    {
      inherit (outer) archive;
      source = derivation {
        name = "${arguments.name}-source";
        system = "x86_64-linux";
        builder = "builtin:unpack";
        src = archive;
      };
    };
in
{
  musl = source {
    name = "musl-1.2.5";
    urls = [ "https://musl.libc.org/releases/musl-1.2.5.tar.gz" ];
    hash = "sha256-qaEYu+hNh2TaDqDSizqz+uhHf8fkCF2QECuFlvx8deQ=";
    debian = {
      package = "musl";
      version = "1.2.5";
      file = "musl_1.2.5.orig.tar.gz";
    };
  };

  busybox = source {
    name = "busybox-1.37.0";
    urls = [ "https://busybox.net/downloads/busybox-1.37.0.tar.bz2" ];
    hash = "sha256-MxHf8y50ZJn03w1d8E1+s5Y4LX4Qi7klDntRm4NwQ6Q=";
    debian = {
      package = "busybox";
      version = "1.37.0";
      file = "busybox_1.37.0.orig.tar.bz2";
    };
  };

  make = source {
    name = "make-4.4.1";
    hash = "sha256-OxawDqEHmvn4CWu8cf98wAwkn8aoYgA9o8QjCKCtsP4=";
    debian = {
      package = "make-dfsg";
      version = "4.4.1";
      file = "make-dfsg_4.4.1.orig.tar.xz";
    };
  };

  mawk = source {
    name = "mawk-1.3.4-20250131";
    hash = "sha256-Uby4LVd7FB2JbZ2cMHfXqqIJSQEy6fK5VzuoURs4Nb4=";
    debian = {
      package = "mawk";
      version = "1.3.4.20250131";
      file = "mawk_1.3.4.20250131.orig.tar.gz";
    };
  };

  bash = source {
    name = "bash-5.2.37";
    hash = "sha256-NwcEychZ9AYLffGQVeQ7ubX6CdiHaZz2uoeIXFSF02o=";
    debian = {
      package = "bash";
      version = "5.2.37";
      file = "bash_5.2.37.orig.tar.xz";
    };
  };

  m4 = source {
    name = "m4-1.4.19";
    urls = [ "https://ftp.gnu.org/gnu/m4/m4-1.4.19.tar.xz" ];
    hash = "sha256-Y67eXG0zttmxNRHNC+LKwEby5w/QoHqpVzoEqCeDr5Y=";
    debian = {
      package = "m4";
      version = "1.4.19";
      file = "m4_1.4.19.orig.tar.xz";
    };
  };

  grep = source {
    name = "grep-3.11";
    urls = [ "https://ftp.gnu.org/gnu/grep/grep-3.11.tar.xz" ];
    hash = "sha256-HbKu3eidDepCsW2VKPiUyNFdrk4ZC1muzHj1qVEnbqs=";
    debian = {
      package = "grep";
      version = "3.11";
      file = "grep_3.11.orig.tar.xz";
    };
  };

  sed = source {
    name = "sed-4.9";
    urls = [ "https://ftp.gnu.org/gnu/sed/sed-4.9.tar.xz" ];
    hash = "sha256-biJrcy4c1zlGStaGK9Ghq6QteYKSLaelNRljHSSXUYE=";
    debian = {
      package = "sed";
      version = "4.9";
      file = "sed_4.9.orig.tar.xz";
    };
  };

  binutils = source {
    name = "binutils-2.40";
    hash = "sha256-14wtLrJKm+HgL4hUyxvUNVVtf1hPtr+2sH5lJ9Q/xB0=";
    debian = {
      package = "binutils";
      version = "2.40";
      file = "binutils_2.40.orig.tar.xz";
    };
  };

  # Debian's cross compiler for the H8/300, whose archive is all of GCC 3.4.6 but its documentation.
  gcc-3 = source {
    name = "gcc-3.4.6";
    hash = "sha256-Fib54AUJJoynx5FSispBJYv9W3hMsxfPK8zWjy9jz+0=";
    debian = {
      package = "gcc-h8300-hms";
      version = "3.4.6+dfsg2";
      file = "gcc-h8300-hms_3.4.6+dfsg2.orig.tar.gz";
    };
  };

  gcc-10 = nested "gcc-10.2.0-dfsg.tar.xz" {
    name = "gcc-10.2.0";
    hash = "sha256-6jwF+qOBSG5rhZwEfcFJd0GL8czaRWcGTgFkk/1v/+w=";
    debian = {
      package = "gcc-10";
      version = "10.2.1";
      file = "gcc-10_10.2.1.orig.tar.xz";
    };
  };

  gcc-14 = nested "gcc-14.2.0-dfsg.tar.xz" {
    name = "gcc-14.2.0";
    hash = "sha256-4WKl7z8Ad+yuWYxlVpCNKrgIQVMt8zmAcqlqbfbmqik=";
    debian = {
      package = "gcc-14";
      version = "14.2.0";
      file = "gcc-14_14.2.0.orig.tar.gz";
    };
  };

  gmp = source {
    name = "gmp-6.3.0";
    hash = "sha256-vSlm5tJ395Mo6JSlqfO6P78u0r6B3vX0hiPjDCP7FXI=";
    debian = {
      package = "gmp";
      version = "6.3.0+dfsg";
      file = "gmp_6.3.0+dfsg.orig.tar.xz";
    };
  };

  mpfr = source {
    name = "mpfr-4.2.2";
    urls = [ "https://ftp.gnu.org/gnu/mpfr/mpfr-4.2.2.tar.xz" ];
    hash = "sha256-tnugOD736KhWNzTi6InvXsPDuJigHQD6CmhprYHGzgE=";
    debian = {
      package = "mpfr4";
      version = "4.2.2";
      file = "mpfr4_4.2.2.orig.tar.xz";
    };
  };

  mpc = source {
    name = "mpc-1.3.1";
    urls = [ "https://ftp.gnu.org/gnu/mpc/mpc-1.3.1.tar.gz" ];
    hash = "sha256-q2QkkvXPiCt0qgy3MM1BCoHtzb7IlRg86TDnBsHHWbg=";
    debian = {
      package = "mpclib3";
      version = "1.3.1";
      file = "mpclib3_1.3.1.orig.tar.gz";
    };
  };
}
