# A static program from C sources, compiled by the bootstrap's TinyCC with the bootstrap's C library: no shell, no linker,
# no make. The output is the program itself.
#
#   pname, version  name of the store path: pname-version
#   sources         C files, as paths
#   flags           further arguments for tcc, before the sources
#   image           what the exporter puts into the image's configuration beside the entrypoint, see `sx export --help`
#   meta            description, homepage, license (SPDX), platforms
{ bootstrap }:
{
  pname,
  version,
  sources,
  flags ? [ ],
  image ? { },
  meta ? { },
}:
let
  inherit (bootstrap) libc runtime tcc;

  program = derivation {
    name = "${pname}-${version}";
    system = "x86_64-linux";
    builder = tcc;
    args =
      [
        "-nostdinc"
        "-nostdlib"
        "-static"
        "-I${libc.include}"
      ]
      ++ flags
      ++ [
        "-o"
        (placeholder "out")
        libc.start
        libc.source
      ]
      ++ sources
      ++ runtime;
  };
in
program
// {
  inherit pname version meta;
  image = {
    entrypoint = [ "${program}" ];
  } // image;
}
