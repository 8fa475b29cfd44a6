let
  enabled = "yes";
in if enabled then 1 else 2
