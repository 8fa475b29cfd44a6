# Derivations that cost nothing but their sandbox: a builder that writes one file, `count` times, side by side or in a chain.
# `builder` is a static program of two arguments: where to write, and what. Works under sx and under Nix.
{
  count ? 200,
  shape ? "chain",
  builder,
  salt ? "",
}:
let
  step =
    number: text:
    derivation {
      name = "step-${toString number}";
      system = "x86_64-linux";
      inherit builder;
      args = [
        (placeholder "out")
        "${salt} ${toString number} ${text}"
      ];
    };
  numbers = builtins.genList (number: number) count;
  all = builtins.map (number: step number "") numbers;
  chain = builtins.foldl' (before: number: step number "${before}") "" numbers;
in
if shape == "chain" then
  chain
else
  step count (builtins.concatStringsSep " " (builtins.map (one: "${one}") all))
