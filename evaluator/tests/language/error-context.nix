# What the expression itself says about the way to an error is shown before calls that are further off.
let
  evaluate = path: value:
    builtins.addErrorContext "while evaluating the option `${builtins.concatStringsSep "." path}`"
      (if builtins.isAttrs value then builtins.mapAttrs (name: evaluate (path ++ [ name ])) value else value + 1);
  twice = f: x: f (f x);
  settings = evaluate [ ] { services.web.port = "80"; };
in
twice (twice (x: x)) (twice (twice (x: x)) settings.services.web.port)
