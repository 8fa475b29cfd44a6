let
  pkgs = {
    tools = {
      hammer = 1;
    };
  };
in pkgs.tools.hamer
