# The result of a function, with the way to change the arguments that it was given: `pkgs.curl.override { zlib = other; }`, or
# a function from the arguments to those that change. What overrideAttrs changed stays changed.
let
  overridable =
    function: arguments:
    let
      result = function arguments;
    in
    result
    // {
      override = more: overridable function (arguments // (if builtins.isFunction more then more arguments else more));
    }
    // (
      if result ? overrideAttrs then
        { overrideAttrs = change: overridable (given: (function given).overrideAttrs change) arguments; }
      else
        { }
    );
in
overridable
