# Derivations that cost nothing but their sandbox: a builder that writes one file, `count` times. Side by side with one that
# needs all (`fan`), each of which needs the one before (`chain`), or each of which mentions the one before, so that it has all
# before it in view (`closure`).
# `builder` is a static program of two arguments: where to write, and what. Works under sx and under Nix.
{
  count ? 200,
  shape ? "chain",
  builder,
  salt ? "",
}:
let
  step =
    number: needed: text:
    derivation {
      name = "step-${toString number}";
      system = "x86_64-linux";
      inherit builder needed;
      args = [
        (placeholder "out")
        "${salt} ${toString number} ${text}"
      ];
    };
  numbers = builtins.genList (number: number) count;
  each = step: builtins.foldl' (before: number: step number "${before}") "" numbers;
in
{
  fan = step count (builtins.map (number: step number "" "") numbers) "";
  chain = each (number: before: step number before "");
  closure = each (number: before: step number "" before);
}
.${shape}
