# Parsing: 10 MB of expressions, hardly any of which is evaluated. The files are made by `run`.
map (n: (import (./generated/parse + "/${toString n}.nix") { }).count) (builtins.genList (n: n) 10)
