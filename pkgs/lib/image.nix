# An image that isn't one package; `sx export` writes it.
#
#   name, tag      what the image is called
#   contents       packages whose programs are to be found; what they and the texts below refer to comes along
#   layout         "store": packages at their store paths, links to their programs in /bin; "root": their trees at /,
#                  for packages that refer to no store path
#   config         entrypoint, cmd, env, labels, workingDir, user, exposedPorts, volumes, stopSignal: see `sx export --help`
#   annotations    texts about the image, which registries show, by names such as "org.opencontainers.image.title"
#   files          by absolute path: a text, or { text; }, { link; }, { source; } (a file of a package, copied),
#                  { directory = true; }; with mode ("0644"), uid, gid
#   users          by name: { uid; gid ? uid; home ? "/"; shell ? "/sbin/nologin"; description ? ""; }; root is always there.
#                  A user's home, unless it is /, is made and given to them.
#   groups         by name: a gid; each user's own group is there already
#   certificates   PEM files that programs are to trust, as paths
#   timeZones      by name, such as "Europe/Vienna": a compiled time zone as a path; they come to /usr/share/zoneinfo
#   timeZone       the name of that among them which is local time
{
  name,
  tag ? null,
  contents ? [ ],
  layout ? "store",
  config ? { },
  annotations ? { },
  files ? { },
  users ? { },
  groups ? { },
  certificates ? [ ],
  timeZones ? { },
  timeZone ? null,
}:
let
  inherit (builtins)
    attrNames
    concatStringsSep
    filter
    isAttrs
    isString
    listToAttrs
    map
    readFile
    toString
    ;

  lines = texts: concatStringsSep "" (map (text: text + "\n") texts);

  complete =
    userName: user:
    {
      gid = user.uid;
      home = "/";
      shell = "/sbin/nologin";
      description = "";
    }
    // user
    // {
      name = userName;
    };

  people = [
    (complete "root" {
      uid = 0;
      home = "/root";
    })
  ]
  ++ map (userName: complete userName users.${userName}) (attrNames users);

  passwd = lines (
    map (
      user:
      concatStringsSep ":" [
        user.name
        "x"
        (toString user.uid)
        (toString user.gid)
        user.description
        user.home
        user.shell
      ]
    ) people
  );

  group = lines (
    map (user: "${user.name}:x:${toString user.gid}:") (filter (user: !(groups ? ${user.name})) people)
    ++ map (groupName: "${groupName}:x:${toString groups.${groupName}}:") (attrNames groups)
  );

  homes = listToAttrs (
    map (user: {
      name = user.home;
      value = {
        directory = true;
        mode = "0750";
        inherit (user) uid gid;
      };
    }) (filter (user: user.home != "/" && user.uid != 0) people)
  );

  accounts =
    if users == { } && groups == { } then
      { }
    else
      homes
      // {
        "/etc/passwd".text = passwd;
        "/etc/group".text = group;
      };

  trusted =
    if certificates == [ ] then
      { }
    else
      {
        "/etc/ssl/certs/ca-certificates.crt".text = concatStringsSep "" (map readFile certificates);
      };

  zones = listToAttrs (
    map (zone: {
      name = "/usr/share/zoneinfo/${zone}";
      value.source = "${timeZones.${zone}}";
    }) (attrNames timeZones)
  );

  localTime =
    if timeZone == null then
      { }
    else if timeZones ? ${timeZone} then
      { "/etc/localtime".link = "/usr/share/zoneinfo/${timeZone}"; }
    else
      throw "timeZone is `${timeZone}`, which timeZones doesn't have; expected one of: ${concatStringsSep ", " (attrNames timeZones)}";

  given = listToAttrs (
    map (path: {
      name = path;
      value = if isString files.${path} then { text = files.${path}; } else files.${path};
    }) (attrNames files)
  );

  package =
    item:
    {
      path = "${item}";
    }
    // (if isAttrs item && item ? pname then { name = item.pname; } else { });
in
{
  type = "image";
  inherit name layout config annotations;
  contents = map package contents;
  files = accounts // trusted // zones // localTime // given;
}
// (if tag == null then { } else { inherit tag; })
