# Programs of ours for the steps between TinyCC and the first shell: `run` runs a list of commands,
# `patch` applies a unified diff. What they do stands at their heads.
{ tcc, libc, runtime }:

let
  program =
    name: source:
    derivation {
      inherit name;
      system = "x86_64-linux";
      builder = tcc;
      args = [
        "-nostdinc"
        "-nostdlib"
        "-static"
        "-I${libc.include}"
        "-o"
        (placeholder "out")
        libc.start
        libc.source
        source
      ]
      ++ runtime;
    };
in
{
  inherit program;
  run = program "run" ./tools/run.c;
  patch = program "patch" ./tools/patch.c;
}
