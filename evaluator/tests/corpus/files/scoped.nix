[ x (if true then x else builtins) ]
