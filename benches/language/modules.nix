# The style of module systems: modules that declare options and define them from the merged whole, a fixed point.
# 4,000 modules, 36,000 options.
let
  inherit (builtins) attrNames concatMap concatStringsSep elemAt foldl' genList head isAttrs isFunction length listToAttrs map mapAttrs sort zipAttrsWith;
  types = {
    int = { name = "int"; check = builtins.isInt; merge = path: values: foldl' (a: b: a + b) 0 values; };
    string = { name = "string"; check = builtins.isString; merge = path: concatStringsSep ","; };
    list = { name = "list"; check = builtins.isList; merge = path: builtins.concatLists; };
  };
  mkOption = options: { _type = "option"; } // options;
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkOverride = priority: content: { _type = "override"; inherit priority content; };
  isType = type: value: isAttrs value && value._type or null == type;
  unfold = value:
    if isType "if" value then (if value.condition then unfold value.content else [ ])
    else if isType "override" value then map (each: each // { inherit (value) priority; }) (unfold value.content)
    else [ { priority = 100; inherit value; } ];
  pushDown = value: if isType "if" value then mapAttrs (_: each: mkIf value.condition each) (pushDown value.content) else value;
  mergeOption = path: option: definitions:
    let
      all = concatMap unfold definitions;
      priority = foldl' (least: each: if each.priority < least then each.priority else least) 1000 all;
      values = map (each: each.value) (builtins.filter (each: each.priority == priority) all);
    in
    if values == [ ] then option.default or (throw "the option ${concatStringsSep "." path} has no value")
    else if builtins.all option.type.check values then option.type.merge path values
    else throw "the option ${concatStringsSep "." path} is no ${option.type.name}";
  mergeTree = path: options: definitions:
    let byName = zipAttrsWith (_: values: values) (map pushDown definitions); in
    mapAttrs (name: option:
      let here = path ++ [ name ]; values = byName.${name} or [ ]; in
      if isType "option" option then mergeOption here option values else mergeTree here option values) options;
  mergeOptions = all:
    zipAttrsWith (_: values: if length values == 1 || isType "option" (head values) then head values else mergeOptions values) all;
  evaluate = modules:
    let
      called = map (module: if isFunction module then module { inherit config options mkIf; } else module) modules;
      options = mergeOptions (map (module: module.options or { }) called);
      config = mergeTree [ ] options (map (module: module.config or { }) called);
    in
    config;
  module = n: { config, mkIf, ... }:
    let me = "service${toString n}"; other = "service${toString (if n == 0 then 0 else n - 1)}"; in {
      options.services.${me} = {
        enable = mkOption { type = types.int; default = 0; };
        name = mkOption { type = types.string; default = me; };
        port = mkOption { type = types.int; default = 8000 + n; };
        depends = mkOption { type = types.list; default = [ ]; };
        settings = listToAttrs (genList (m: { name = "key${toString m}"; value = mkOption { type = types.string; default = "v"; }; }) 5);
      };
      config.services.${me} = {
        enable = if n == 0 then 1 else config.services.${other}.enable;
        name = mkOverride 50 "${me}-custom";
        port = mkIf (n / 2 * 2 == n) 1;
        depends = mkIf (config.services.${me}.enable > 0) [ other ];
        settings.key1 = "a${toString config.services.${other}.port}";
        settings.key2 = mkIf (config.services.${other}.name != "") (mkOverride 10 "b");
      };
      config.environment.files = [ me config.services.${me}.settings.key1 ];
    };
  base = { options.environment.files = mkOption { type = types.list; default = [ ]; }; };
in
let config = evaluate ([ base ] ++ genList module 4000); in
{
  inherit (config) services;
  files = length config.environment.files;
}
