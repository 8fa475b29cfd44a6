/* cc.c - a C compiler for x86-64 Linux, written in C0.

   usage: cc OUTPUT [-Dname[=text]] [-Idir] FILE...
   An #include of either kind is looked for in the -I folders, in their order.

   The files are compiled one after the other as one program; the output is a
   static ELF executable, mode 0755.  There is no linker, no assembler and no
   object file: every global has its final address as soon as it is declared.

   It is a compiler for right programs: it doesn't check types and takes some
   programs that C forbids.  An error ends it with exit code 1 and a message that
   names file and line; so does a full table, an input that cannot be read or an
   output that cannot be written.

   Refused with a message: floating constants with a fraction, floating values as
   conditions, static floating objects that aren't 0, struct arguments and
   results, local char arrays that a string initializes, designated initializers,
   variable-length arrays, #line, an extern in a block for what isn't global yet.
   Other than in C: a bit-field is a plain member of its type; float and double
   are kept as long double until they are stored; a floating value from 2 to the
   63rd up doesn't convert to unsigned long; there are no __FILE__ and __LINE__.

   The parts, in order: bytes and errors, lexer, preprocessor, types, symbols, code,
   declarations, expressions, initializers and functions, statements, output.
   Expressions are compiled in one pass: vk, vv, vt and lv say where the value is
   (in rax, in st0, a constant, an address), code is written as late as can be.
   Arguments are pushed, the last one at the highest address; there are no registers
   to allocate: rax holds the value, rcx the right operand, the rest is pushed.
   C0 has no unary operators (hence 0 - 1) and no for, and its char is unsigned.  */

enum {                          /* tokens: a character, or one of these */
    T_EOF, T_NUM, T_STR, T_CHR, T_STOP, T_PARAM, T_NL = 10,
    T_SHL = 128, T_SHR, T_LE, T_GE, T_EQ, T_NE, T_ANDAND, T_OROR, T_INC, T_DEC,
    T_ARROW, T_DOTS, T_PASTE,
    T_ASSIGN = 256,             /* + operator: compound assignment */
    T_ID = 512                  /* + number of the identifier */
};

enum {                          /* sizes of the tables, for room(): the numbers at their declarations */
    M_SRC = 8000000, M_NAMES = 1000000, M_IDS = 40000, M_STR = 1000000, M_STRS = 40000,
    M_TK = 1000000, M_TMP = 200000, M_MACS = 40000, M_FRAMES = 1000, M_ARGS = 10000,
    M_FILES = 100, M_TYPES = 100000, M_MEMBERS = 50000, M_SYMS = 100000, M_TAGS = 10000,
    M_CODE = 4000000, M_DATA = 4000000, M_P = 1000, M_LABS = 1000, M_CASES = 5000,
    M_PART = 100000, M_PARAMS = 100, M_DIRS = 100,
    M_UNKNOWN = 32              /* elements of a local array of unknown length */
};

enum {                          /* keywords are the first identifiers */
    K_NONE = 512, K_VOID, K_CHAR, K_SHORT, K_INT, K_LONG, K_FLOAT, K_DOUBLE,
    K_SIGNED, K_UNSIGNED, K_STRUCT, K_UNION, K_ENUM, K_TYPEDEF, K_STATIC,
    K_EXTERN, K_CONST, K_VOLATILE, K_REGISTER, K_INLINE, K_RESTRICT, K_SIZEOF,
    K_IF, K_ELSE, K_WHILE, K_DO, K_FOR, K_SWITCH, K_CASE, K_DEFAULT, K_BREAK,
    K_CONTINUE, K_RETURN, K_GOTO, K_DEFINE, K_UNDEF, K_INCLUDE, K_IFDEF,
    K_IFNDEF, K_ELIF, K_ENDIF, K_DEFINED, K_ERROR, K_LINE
};

/* ------------------------------------------------------------------ */
/* errors and bytes */

long raw();
long next();
long directive();
long const_value();
long binary(long level);
long assign();
long expr();
long base_type();
long declarator(long t);
long unary();
long cond();
long statement();
long block();
long declaration(long global);

char src[8000000];              /* text of all files read so far */
long src_top;
long pos;                       /* where the lexer is */
long src_end;
long line;
long file_id;                   /* name of the current file */

char names[1000000];            /* spelling of identifiers and numbers */
long names_top;
long id_head[8192];
long id_next[40000];
long id_off[40000];
long id_len[40000];
long id_macro[40000];           /* macro of that name + 1, or 0 */
long id_busy[40000];            /* that macro is being expanded */
long id_sym[40000];             /* visible symbol */
long id_tag[40000];             /* visible struct, union or enum tag */
long ids;

long put(char *s, long n) { syscall(1, 2, s, n); return 0; }

long len(char *s)
{
    long n = 0;
    while (s[n]) n = n + 1;
    return n;
}

long put_num(long n)
{
    char *digits = "0123456789";
    if (n > 9) put_num(n / 10);
    put(digits + n % 10, 1);
    return 0;
}

long die(char *msg)
{
    if (file_id) put(names + id_off[file_id], id_len[file_id]);
    put(":", 1);
    put_num(line);
    put(": ", 2);
    put(msg, len(msg));
    put("\n", 1);
    syscall(60, 1, 0, 0);
    return 0;
}

long die_name(long id, char *msg)       /* the name, then the message */
{
    put(names + id_off[id], id_len[id]);
    put(": ", 2);
    return die(msg);
}

long room(long n, long size)   /* a table of that size holds n */
{
    if (n < 0 || n >= size) die("a table is full");
    return 0;
}

long same(char *a, char *b, long n)
{
    long i = 0;
    while (i < n) {
        if (a[i] != b[i]) return 0;
        i = i + 1;
    }
    return 1;
}

long copy(char *to, char *from, long n)
{
    long i = 0;
    while (i < n) { to[i] = from[i]; i = i + 1; }
    return n;
}

long intern(char *s, long n)    /* the number of a name */
{
    long h = n;
    long i = 0;
    while (i < n) { h = (h * 31 + s[i]) & 8191; i = i + 1; }
    i = id_head[h];
    while (i) {
        if (id_len[i] == n) if (same(names + id_off[i], s, n)) return i;
        i = id_next[i];
    }
    ids = ids + 1;
    room(ids, M_IDS);
    room(names_top + n + 1, M_NAMES);
    i = ids;
    id_next[i] = id_head[h];
    id_head[h] = i;
    id_off[i] = names_top;
    id_len[i] = n;
    names_top = names_top + copy(names + names_top, s, n) + 1;
    return i;
}

/* ------------------------------------------------------------------ */
/* lexer */

long tok;                       /* current token */
long val;                       /* its value: number, name or string */
char str[1000000];              /* string literals: length in id_.. style */
long str_top;
long str_len[40000];
long str_off[40000];
long strs;

long is_alpha(long c)
{
    return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_';
}

long is_digit(long c) { return c >= '0' && c <= '9'; }

long hex_value(long c)
{
    if (is_digit(c)) return c - '0';
    c = c | 32;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return 0 - 1;
}

long escape()                   /* a character of a string, at src[pos] */
{
    long c = src[pos];
    pos = pos + 1;
    if (c != '\\') return c;
    c = src[pos];
    pos = pos + 1;
    if (c == 'n') return 10;
    if (c == 't') return 9;
    if (c == 'r') return 13;
    if (c == 'a') return 7;
    if (c == 'b') return 8;
    if (c == 'v') return 11;
    if (c == 'f') return 12;
    if (c == 'e') return 27;
    long v = 0;
    if (c == 'x') {
        while (hex_value(src[pos]) >= 0) {
            v = v * 16 + hex_value(src[pos]);
            pos = pos + 1;
        }
        return v & 255;
    }
    if (c < '0' || c > '7') return c;
    v = c - '0';
    long n = 1;
    while (n < 3 && src[pos] >= '0' && src[pos] <= '7') {
        v = v * 8 + src[pos] - '0';
        pos = pos + 1;
        n = n + 1;
    }
    return v & 255;
}

long new_str()                  /* str[str_top..] grows into a new literal */
{
    strs = strs + 1;
    room(strs, M_STRS);
    str_off[strs] = str_top;
    return strs;
}

long add_str(char *s, long n)
{
    room(str_top + n, M_STR);
    str_top = str_top + copy(str + str_top, s, n);
    return 0;
}

long end_str()                  /* closes the newest literal */
{
    room(str_top, M_STR);
    str_len[strs] = str_top - str_off[strs];
    str[str_top] = 0;
    str_top = str_top + 1;
    return strs;
}

long skip_blank()
{
    long c = src[pos];
    while (pos < src_end) {
        if (c == ' ' || c == 9 || c == 13 || c == 12) pos = pos + 1;
        else if (c == '/' && src[pos + 1] == '/') {
            while (src[pos] != 10) pos = pos + 1;
        }
        else if (c == '/' && src[pos + 1] == '*') {
            pos = pos + 2;
            while (src[pos] != '*' || src[pos + 1] != '/') {
                if (pos >= src_end) die("unfinished comment");
                if (src[pos] == 10) line = line + 1;
                pos = pos + 1;
            }
            pos = pos + 2;
        }
        else if (c == '\\' && src[pos + 1] == 10) {
            pos = pos + 2;
            line = line + 1;
        }
        else return 0;
        c = src[pos];
    }
    return 0;
}

long lex()                      /* the next token of the file, or T_NL, or T_EOF */
{
    skip_blank();
    if (pos >= src_end) { tok = T_EOF; return 0; }
    long c = src[pos];
    long d = src[pos + 1];
    long start = pos;
    val = 0;
    if (c == 10) { pos = pos + 1; line = line + 1; tok = T_NL; return 0; }
    if (is_alpha(c)) {
        while (is_alpha(src[pos]) || is_digit(src[pos])) pos = pos + 1;
        val = intern(src + start, pos - start);
        tok = T_ID + val;
        return 0;
    }
    if (is_digit(c) || c == '.' && is_digit(d)) {
        while (is_alpha(src[pos]) || is_digit(src[pos]) || src[pos] == '.') pos = pos + 1;
        val = intern(src + start, pos - start);
        tok = T_NUM;
        return 0;
    }
    pos = pos + 1;
    if (c == 39) {
        val = 0;
        while (src[pos] != 39 && src[pos] != 10) val = val * 256 + escape();
        if (src[pos] == 10) die("unfinished character");
        pos = pos + 1;
        tok = T_CHR;
        return 0;
    }
    if (c == '"') {
        val = new_str();
        while (src[pos] != '"' && src[pos] != 10) {
            room(str_top, M_STR);
            str[str_top] = escape();
            str_top = str_top + 1;
        }
        if (src[pos] == 10) die("unfinished string");
        pos = pos + 1;
        end_str();
        tok = T_STR;
        return 0;
    }
    tok = c;
    if (c == '.' && d == '.' && src[pos + 1] == '.') { tok = T_DOTS; pos = pos + 2; return 0; }
    if (c == d) {
        if (c == '&') tok = T_ANDAND;
        if (c == '|') tok = T_OROR;
        if (c == '<') tok = T_SHL;
        if (c == '>') tok = T_SHR;
        if (c == '+') tok = T_INC;
        if (c == '-') tok = T_DEC;
        if (c == '=') tok = T_EQ;
        if (c == '#') tok = T_PASTE;
        if (tok != c) {
            pos = pos + 1;
            d = src[pos];
            if (d == '=' && (c == '<' || c == '>')) { pos = pos + 1; tok = tok + T_ASSIGN; }
            return 0;
        }
    }
    if (c == '-' && d == '>') { tok = T_ARROW; pos = pos + 1; return 0; }
    if (d != '=') return 0;
    if (c == '<') tok = T_LE;
    else if (c == '>') tok = T_GE;
    else if (c == '!') tok = T_NE;
    else if (c == '+' || c == '-' || c == '*' || c == '/' || c == '%' || c == '&' || c == '|' || c == '^')
        tok = c + T_ASSIGN;
    else return 0;
    pos = pos + 1;
    return 0;
}

/* ------------------------------------------------------------------ */
/* preprocessor */

long tk[1000000];               /* token pool: macro bodies, then expansions */
long tv[1000000];
long tk_top;
long tk_perm;                   /* end of the macro bodies */
long held;                      /* expansions in progress, keep the pool */
long tmp_tok[200000];
long tmp_val[200000];
long tmp_top;

long mac_start[40000];
long mac_end[40000];
long mac_params[40000];         /* -1: object-like */
long mac_rest[40000];           /* the last parameter is "..." */
long macs;

long fr_pos[1000];              /* frames: token ranges being read */
long fr_end[1000];
long fr_id[1000];
long fr_stop[1000];
long frames;

long arg_start[10000];
long arg_end[10000];
long full_start[10000];         /* the same argument, macro-expanded */
long full_end[10000];
long args;

long painted;                   /* the token is never to be expanded */
long un;                        /* one token put back */
long un_tok;
long un_val;
long bol;                       /* at the beginning of a line */
long conds;                     /* open #if groups */
long in_if;                     /* evaluating #if: unknown names are 0 */

enum { PAINT = 1048576 };       /* in the pool: added to val of a painted name */

long f_pos[100];                /* include stack */
long f_end[100];
long f_line[100];
long f_id[100];
long f_start[100];
long files;

long dirs[100];                 /* -I: names */
long ndirs;

long add_tok(long t, long v)
{
    room(tk_top, M_TK);
    tk[tk_top] = t;
    tv[tk_top] = v;
    tk_top = tk_top + 1;
    return 0;
}

long add_range(long i, long end)
{
    while (i < end) { add_tok(tk[i], tv[i]); i = i + 1; }
    return 0;
}

long push_frame(long start, long end, long id, long stop)
{
    frames = frames + 1;
    room(frames, M_FRAMES);
    fr_pos[frames] = start;
    fr_end[frames] = end;
    fr_id[frames] = id;
    fr_stop[frames] = stop;
    id_busy[id] = id != 0;
    return 0;
}

long push_file(long start, long end, long name)
{
    room(files, M_FILES);
    f_pos[files] = pos;
    f_end[files] = src_end;
    f_line[files] = line;
    f_id[files] = file_id;
    f_start[files] = start;
    files = files + 1;
    pos = start;
    src_end = end;
    src[end] = 10;
    src[end + 1] = 0;
    src_top = end + 2;
    line = 1;
    file_id = name;
    bol = 1;
    return 0;
}

long pop_file()
{
    files = files - 1;
    src_top = f_start[files];
    pos = f_pos[files];
    src_end = f_end[files];
    line = f_line[files];
    file_id = f_id[files];
    bol = 1;
    return 0;
}

long open_file(char *path)      /* 0 if there is no such file */
{
    long fd = syscall(2, path, 0, 0);
    if (fd < 0) return 0;
    long n = 1;
    long end = src_top;
    while (n > 0) {
        room(end + 1000000, M_SRC);
        n = syscall(0, fd, src + end, 900000);
        if (n < 0) die("cannot read");
        end = end + n;
    }
    syscall(3, fd, 0, 0);
    push_file(src_top, end, intern(path, len(path)));
    return 1;
}

long spell(long t, long v)      /* text of a token, added at src_top */
{
    long n = 1;
    room(src_top + M_NAMES, M_SRC);     /* a name is shorter than all names */
    if (t >= T_ID || t == T_NUM) n = copy(src + src_top, names + id_off[v], id_len[v]);
    else if (t < 128 && t > ' ') src[src_top] = t;
    else if (t == T_PARAM) n = 0;
    else die("cannot spell this token");
    src_top = src_top + n;
    return n;
}

long paste(long t, long v)      /* the last token of the pool ## t */
{
    long start = src_top;
    long save_pos = pos;
    long save_end = src_end;
    spell(tk[tk_top - 1], tv[tk_top - 1] & PAINT - 1);
    spell(t, v & PAINT - 1);
    src[src_top] = 10;
    pos = start;
    src_end = src_top;
    lex();
    if (pos != src_end) die("bad ##");
    src_top = start;
    pos = save_pos;
    src_end = save_end;
    tk[tk_top - 1] = tok;
    tv[tk_top - 1] = val;
    return 0;
}

long stringize(long i, long end)
{
    long start = src_top;
    long v = new_str();
    while (i < end) { spell(tk[i], tv[i] & PAINT - 1); i = i + 1; }
    add_str(src + start, src_top - start);
    src_top = start;
    end_str();
    add_tok(T_STR, v);
    return 0;
}

long collect_args(long m)       /* after "(": the arguments of macro m */
{
    long depth = 0;
    long n = 0;
    arg_start[args] = tk_top;
    raw();
    while (depth > 0 || tok != ')') {
        if (tok == T_EOF || tok == T_STOP) die("unfinished macro call");
        room(args + 1, M_ARGS);
        if (tok == ',' && depth == 0 && (mac_rest[m] == 0 || n < mac_params[m] - 1)) {
            arg_end[args] = tk_top;
            args = args + 1;
            n = n + 1;
            arg_start[args] = tk_top;
        } else {
            if (tok == '(') depth = depth + 1;
            if (tok == ')') depth = depth - 1;
            add_tok(tok, val + painted * PAINT);
        }
        raw();
    }
    arg_end[args] = tk_top;
    args = args + 1;
    return 0;
}

long expand_arg(long a)
{
    long tmp = tmp_top;
    push_frame(arg_start[a], arg_end[a], 0, 1);
    next();
    while (tok != T_STOP) {
        room(tmp_top, M_TMP);
        tmp_tok[tmp_top] = tok;
        tmp_val[tmp_top] = val + painted * PAINT;
        tmp_top = tmp_top + 1;
        next();
    }
    frames = frames - 1;
    full_start[a] = tk_top;
    long i = tmp;
    while (i < tmp_top) { add_tok(tmp_tok[i], tmp_val[i]); i = i + 1; }
    full_end[a] = tk_top;
    tmp_top = tmp;
    return 0;
}

long substitute(long m, long base)
{
    long i = mac_start[m];
    long end = mac_end[m];
    long glue = 0;              /* the operand comes after ## */
    long count = 0;             /* tokens the operand before ## gave */
    while (i < end) {
        long t = tk[i];
        long a = base + tv[i];
        long before = tk_top;
        long from = i;          /* what this operand stands for */
        long to = i + 1;
        long to_glue = 0;
        if (i + 1 < end) to_glue = tk[i + 1] == T_PASTE;
        if (t == '#' && mac_params[m] >= 0 && i + 1 < end && tk[i + 1] == T_PARAM) {
            i = i + 1;
            stringize(arg_start[base + tv[i]], arg_end[base + tv[i]]);
            to = from;
        } else if (t == T_PARAM) {
            from = arg_start[a];
            to = arg_end[a];
            if (glue == 0 && to_glue == 0) {
                from = full_start[a];
                to = full_end[a];
            }
        }
        if (glue && count && from < to) {
            paste(tk[from], tv[from]);
            from = from + 1;
            before = before - 1;
        }
        add_range(from, to);
        if (glue == 0 || tk_top > before) count = tk_top - before;
        glue = to_glue;
        i = i + 1 + to_glue;
    }
    return 0;
}

long expand(long id)            /* start reading the expansion; 0: not a call */
{
    long m = id_macro[id] - 1;
    if (mac_params[m] < 0) {
        long first = tk_top;
        substitute(m, 0);
        push_frame(first, tk_top, id, 0);
        return 1;
    }
    held = held + 1;
    raw();
    if (tok != '(') {
        un = 1;
        un_tok = tok;
        un_val = val;
        tok = T_ID + id;
        val = id;
        held = held - 1;
        return 0;
    }
    long base = args;
    collect_args(m);
    if (args - base < mac_params[m]) die("too few macro arguments");
    long last = args;
    long a = base;
    while (a < last) { expand_arg(a); a = a + 1; }
    long start = tk_top;
    substitute(m, base);
    args = base;
    push_frame(start, tk_top, id, 0);
    held = held - 1;
    return 1;
}

long raw()                      /* the next token, macros not expanded */
{
    if (un) {
        un = 0;
        tok = un_tok;
        val = un_val;
        return 0;
    }
    while (frames) {
        if (fr_pos[frames] < fr_end[frames]) {
            tok = tk[fr_pos[frames]];
            val = tv[fr_pos[frames]];
            fr_pos[frames] = fr_pos[frames] + 1;
            painted = tok >= T_ID && val >= PAINT;
            if (painted) val = val - PAINT;
            return 0;
        }
        if (fr_stop[frames]) { tok = T_STOP; return 0; }
        id_busy[fr_id[frames]] = 0;
        frames = frames - 1;
    }
    if (held == 0) tk_top = tk_perm;
    painted = 0;
    while (1) {
        lex();
        if (tok == T_NL) bol = 1;
        else if (tok == '#' && bol) directive();
        else if (tok == T_EOF && files > 0) pop_file();
        else { bol = 0; return 0; }
    }
}

long next()                     /* the next token, macros expanded */
{
    while (1) {
        raw();
        if (tok < T_ID || painted) return 0;
        if (id_macro[val] == 0) return 0;
        if (id_busy[val]) { painted = 1; return 0; }
        if (expand(val) == 0) return 0;
    }
}

long end_line()
{
    while (tok != T_NL && tok != T_EOF) lex();
    bol = 1;
    return 0;
}

long param_id[100];

long define()
{
    lex();
    long id = val;
    long n = 0 - 1;
    long m = macs;
    macs = macs + 1;
    room(macs, M_MACS);
    if (tok < T_ID) die("a name is needed");
    mac_rest[m] = 0;
    if (src[pos] == '(') {
        n = 0;
        lex();
        lex();
        while (tok != ')') {
            room(n, M_PARAMS);
            if (tok < T_ID && tok != T_DOTS) die("bad macro parameter");
            param_id[n] = val;
            if (tok == T_DOTS) {
                param_id[n] = intern("__VA_ARGS__", 11);
                mac_rest[m] = 1;
            }
            n = n + 1;
            lex();
            if (tok == ',') lex();
        }
    }
    mac_params[m] = n;
    mac_start[m] = tk_top;
    lex();
    while (tok != T_NL && tok != T_EOF) {
        long i = 0;
        while (i < n) {
            if (tok == T_ID + param_id[i]) { tok = T_PARAM; val = i; i = n; }
            i = i + 1;
        }
        add_tok(tok, val);
        lex();
    }
    mac_end[m] = tk_top;
    tk_perm = tk_top;
    id_macro[id] = m + 1;
    return 0;
}

long number(long v)             /* a number token of the pool */
{
    if (v) return intern("1", 1);
    return intern("0", 1);
}

long if_value()                 /* the value of the rest of the line */
{
    long start = tk_top;
    long paren;
    lex();
    while (tok != T_NL && tok != T_EOF) {
        if (tok == K_DEFINED) {
            lex();
            paren = tok == '(';
            if (paren) lex();
            add_tok(T_NUM, number(id_macro[val]));
            if (paren) lex();
        }
        else add_tok(tok, val);
        lex();
    }
    push_frame(start, tk_top, 0, 1);
    held = held + 1;
    in_if = in_if + 1;
    next();
    long v = const_value();
    if (tok != T_STOP) die("bad #if");
    in_if = in_if - 1;
    held = held - 1;
    frames = frames - 1;
    tok = T_NL;
    return v;
}

long skip_group(long seek)      /* to #endif; seek: or to #else, #elif true */
{
    long depth = 0;
    while (1) {
        end_line();
        if (tok == T_EOF) die("missing #endif");
        lex();
        if (tok == '#') {
            lex();
            if (tok == K_IF || tok == K_IFDEF || tok == K_IFNDEF) depth = depth + 1;
            else if (tok == K_ENDIF) {
                if (depth == 0) { conds = conds - 1; return 0; }
                depth = depth - 1;
            }
            else if (depth == 0 && seek) {
                if (tok == K_ELSE) return 0;
                if (tok == K_ELIF) if (if_value()) return 0;
            }
        }
    }
}

long include()
{
    long n = 0;
    long i = 0;
    long ok = 0;
    skip_blank();
    long end = src[pos];
    if (end == '<') end = '>';
    pos = pos + 1;
    while (src[pos + n] != end) {
        if (src[pos + n] == 10) die("bad #include");
        n = n + 1;
    }
    long name = pos;
    long start = src_top;
    pos = pos + n + 1;
    tok = '"';
    long at = line;
    end_line();
    while (i < ndirs && ok == 0) {
        room(start + id_len[dirs[i]] + n + 2, M_SRC);
        long k = copy(src + start, names + id_off[dirs[i]], id_len[dirs[i]]);
        src[start + k] = '/';
        copy(src + start + k + 1, src + name, n);
        src[start + k + 1 + n] = 0;
        src_top = start + k + n + 2;
        ok = open_file(src + start);
        i = i + 1;
    }
    if (ok == 0) {
        line = at;
        die("include file not found");
    }
    return 0;
}

long directive()
{
    lex();
    long d = tok;
    if (d == T_NL) { bol = 1; return 0; }
    if (d == K_INCLUDE) return include();
    if (d == K_DEFINE) define();
    else if (d == K_UNDEF) { lex(); id_macro[val] = 0; }
    else if (d == K_IFDEF || d == K_IFNDEF) {
        conds = conds + 1;
        lex();
        if ((id_macro[val] != 0) != (d == K_IFDEF)) skip_group(1);
    }
    else if (d == K_IF) {
        conds = conds + 1;
        if (if_value() == 0) skip_group(1);
    }
    else if (d == K_ELSE || d == K_ELIF) skip_group(0);
    else if (d == K_ENDIF) conds = conds - 1;
    else if (d == K_ERROR) die("#error");
    else die("unknown directive");
    end_line();
    return 0;
}

/* ------------------------------------------------------------------ */
/* types: the first ones are the arithmetic types, ordered by rank */

enum { VOID, I8, U8, I16, U16, I32, U32, I64, U64, FLT, DBL, LDBL, PTR, ARRAY, FUNC, STRUCT };

long ty_kind[100000];
long ty_ref[100000];            /* pointed to, element or result type; struct: first member */
long ty_size[100000];
long ty_align[100000];
long ty_len[100000];            /* array: number of elements, or -1 */
long ty_ptr[100000];            /* the type "pointer to this" */
long types;

long m_id[50000];               /* members of structs and unions */
long m_type[50000];
long m_off[50000];
long m_next[50000];
long members;

long expect(long t)
{
    if (tok != t) die("syntax error");
    next();
    return 0;
}

long accept(long t)
{
    if (tok != t) return 0;
    next();
    return 1;
}

long new_type(long kind, long ref, long size, long al)
{
    types = types + 1;
    room(types, M_TYPES);
    ty_kind[types] = kind;
    ty_ref[types] = ref;
    ty_size[types] = size;
    ty_align[types] = al;
    return types;
}

long ptr_to(long t)
{
    if (ty_ptr[t] == 0) ty_ptr[t] = new_type(PTR, t, 8, 8);
    return ty_ptr[t];
}

long array_of(long t, long n)
{
    long a = new_type(ARRAY, t, ty_size[t] * n, ty_align[t]);
    if (n < 0) ty_size[a] = 0;
    ty_len[a] = n;
    return a;
}

long is_ptr(long t) { return ty_kind[t] == PTR; }
long is_float(long t) { return t >= FLT && t <= LDBL; }

long is_unsigned(long t)
{
    return t == U8 || t == U16 || t == U32 || t == U64 || is_ptr(t);
}

long arith(long t)              /* integer promotion */
{
    if (is_ptr(t)) return U64;
    if (is_float(t)) return LDBL;
    if (t < I32) return I32;
    return t;
}

long common(long a, long b)
{
    a = arith(a);
    b = arith(b);
    if (a > b) return a;
    return b;
}

long align_up(long n, long a) { return (n + a - 1) & (0 - a); }

/* ------------------------------------------------------------------ */
/* symbols */

enum { S_TYPE, S_CONST, S_VAR, S_LOCAL, S_FUNC };

long s_id[100000];
long s_kind[100000];
long s_type[100000];
long s_val[100000];             /* constant, address or frame offset */
long s_done[100000];            /* function: it has a body */
long s_used[100000];            /* function: an expression names it */
long s_prev[100000];            /* symbol of that name it hides */
long syms;
long tag_id[10000];             /* tags, the same way */
long tag_prev[10000];
long tags;
long depth;                     /* block depth, 0 for globals */
long scope;                     /* first symbol of the innermost block */
long tag_scope;

long add_sym(long id, long kind, long t, long v)
{
    syms = syms + 1;
    room(syms, M_SYMS);
    s_id[syms] = id;
    s_kind[syms] = kind;
    s_type[syms] = t;
    s_val[syms] = v;
    s_done[syms] = 0;
    s_used[syms] = 0;
    s_prev[syms] = id_sym[id];
    id_sym[id] = syms;
    return syms;
}

long leave(long s, long t)      /* forget the symbols after s and tags after t */
{
    while (syms > s) { id_sym[s_id[syms]] = s_prev[syms]; syms = syms - 1; }
    while (tags > t) { id_tag[tag_id[tags]] = tag_prev[tags]; tags = tags - 1; }
    return 0;
}

/* ------------------------------------------------------------------ */
/* code */

enum { CODE = 0x400000, DATA = 0x1000000, STRS = 0x2000000, HEAD = 232 };

char code[4000000];
long cp;
char data[4000000];
long dp;

enum { REG, CONST, LOCAL, RCX };

long vk;                        /* the current value: in rax (floating: st0), a */
long vv;                        /* constant, or rbp + vv */
long vt;
long lv;                        /* it is the address of the object meant */

long o(long n, long x)          /* n bytes of code, as written in hex */
{
    room(cp + n, M_CODE);
    while (n) {
        n = n - 1;
        code[cp] = x >> n * 8;
        cp = cp + 1;
    }
    return 0;
}

long le(long n, long x)         /* n bytes, little-endian */
{
    room(cp + n, M_CODE);
    while (n) {
        code[cp] = x;
        cp = cp + 1;
        x = x >> 8;
        n = n - 1;
    }
    return 0;
}

long put4(long at, long x)
{
    long save = cp;
    cp = at;
    le(4, x);
    cp = save;
    return 0;
}

long get4(long at)
{
    return (code[at] & 255) + ((code[at + 1] & 255) << 8)
        + ((code[at + 2] & 255) << 16) + ((code[at + 3] & 255) << 24);
}

long patch(long chain, long target)
{
    while (chain) {
        long n = get4(chain);
        put4(chain, target - chain - 4);
        chain = n;
    }
    return 0;
}

long jump(long chain)
{
    o(1, 0xE9);                         /* jmp */
    le(4, chain);
    return cp - 4;
}

long jump_to(long target)
{
    patch(jump(0), target);
    return 0;
}

long mov(long reg, long x)      /* reg: 0 rax, 1 rcx */
{
    if (x >= 0 && x < 2147483648) { o(1, 0xB8 + reg); le(4, x); }       /* mov eax, x */
    else if (x < 0 && x >= 0 - 2147483648) { o(3, 0x48C7C0 + reg); le(4, x); }
    else { o(2, 0x48B8 + reg); le(8, x); }                              /* mov rax, x */
    return 0;
}

long mem(long r, long k, long v)        /* operand: register r, memory k v */
{
    if (k == LOCAL) { o(1, 0x85 + r * 8); le(4, v); }           /* [rbp+v] */
    else if (k == CONST) { o(2, 0x0425 + r * 2048); le(4, v); } /* [v] */
    else if (k == RCX) o(1, r * 8 + 1);                         /* [rcx] */
    else o(1, r * 8);                                           /* [rax] */
    return 0;
}

long in_reg()                   /* the current value, not an lvalue, to rax */
{
    if (vk == CONST) mov(0, vv);
    if (vk == LOCAL) { o(2, 0x488D); mem(0, LOCAL, vv); }       /* lea rax, */
    vk = REG;
    return 0;
}

long load()                     /* the object at k v, of type vt, to rax */
{
    long n = ty_size[vt];
    if (n == 1) {
        if (vt == U8) o(2, 0x0FB6); else o(3, 0x480FBE);        /* movzx, movsx */
    } else if (n == 2) {
        if (vt == U16) o(2, 0x0FB7); else o(3, 0x480FBF);
    } else if (n == 4) {
        if (vt == U32) o(1, 0x8B); else o(2, 0x4863);           /* mov, movsxd */
    } else o(2, 0x488B);                                        /* mov rax, */
    return 0;
}

long rvalue()                   /* arrays become pointers, objects their values */
{
    long k = ty_kind[vt];
    if (k == ARRAY) { vt = ptr_to(ty_ref[vt]); lv = 0; }
    if (k == FUNC) { vt = ptr_to(vt); lv = 0; }
    if (lv && k != STRUCT && k != VOID) {
        if (vt == FLT) { o(1, 0xD9); mem(0, vk, vv); }          /* fld dword */
        else if (vt == DBL) { o(1, 0xDD); mem(0, vk, vv); }     /* fld qword */
        else if (vt == LDBL) { o(1, 0xDB); mem(5, vk, vv); }    /* fld tbyte */
        else { load(); mem(0, vk, vv); }
        vk = REG;
        lv = 0;
        if (is_float(vt)) vt = LDBL;
    }
    return 0;
}

long store(long k, long v)      /* rax to the object at k v, of type vt */
{
    long n = ty_size[vt];
    if (is_float(vt)) {
        if (vt == FLT) { o(1, 0xD9); mem(3, k, v); }            /* fstp dword */
        if (vt == DBL) { o(1, 0xDD); mem(3, k, v); }            /* fstp qword */
        if (vt == LDBL) { o(1, 0xDB); mem(7, k, v); }           /* fstp tbyte */
        return 0;
    }
    if (n == 1) o(1, 0x88);
    else if (n == 2) o(2, 0x6689);
    else if (n == 4) o(1, 0x89);
    else o(2, 0x4889);
    mem(0, k, v);
    return 0;
}

long wrap(long v, long t)       /* v as a value of type t */
{
    if (t == I8) return ((v & 255) ^ 128) - 128;
    if (t == U8) return v & 255;
    if (t == I16) return ((v & 0xFFFF) ^ 0x8000) - 0x8000;
    if (t == U16) return v & 0xFFFF;
    if (t == I32) return ((v & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000;
    if (t == U32) return v & 0xFFFFFFFF;
    return v;
}

long extend(long t)             /* rax as a value of type t */
{
    if (t == I8) o(4, 0x480FBEC0);      /* movsx rax, al */
    if (t == U8) o(3, 0x0FB6C0);        /* movzx eax, al */
    if (t == I16) o(4, 0x480FBFC0);
    if (t == U16) o(3, 0x0FB7C0);
    if (t == I32) o(3, 0x4863C0);       /* movsxd rax, eax */
    if (t == U32) o(2, 0x89C0);         /* mov eax, eax */
    return 0;
}

long fild(long t)               /* the integer of type t on the stack to st0 */
{
    o(4, 0xDF2C2458);                   /* fild qword [rsp]; pop rax */
    if (t == U64) {
        o(5, 0x4885C07907);             /* test rax, rax; jns over */
        o(3, 0xD80425);                 /* fadd dword [DATA]: 2 to the 64th */
        le(4, DATA);
    }
    return 0;
}

long convert(long t)
{
    if (is_float(t)) {
        if (is_float(vt) == 0) { in_reg(); o(1, 0x50); fild(vt); }
        t = LDBL;
    }
    else if (is_float(vt)) {
        o(5, 0x50DD0C2458);             /* push rax; fisttp qword [rsp]; pop rax */
        extend(t);
    }
    else if (vk == CONST) vv = wrap(vv, t);
    else if (t < I64 && t != vt) { in_reg(); extend(t); }
    vt = t;
    return 0;
}

long push()
{
    in_reg();
    if (is_float(vt)) o(7, 0x4883EC10DB3C24);   /* sub rsp, 16; fstp tbyte [rsp] */
    else o(1, 0x50);                            /* push rax */
    return 0;
}

long below(long a, long b)      /* unsigned a < b */
{
    if ((a < 0) != (b < 0)) return b < 0;
    return a < b;
}

long fold(long op, long a, long b, long u)
{
    if (op == '+') return a + b;
    if (op == '-') return a - b;
    if (op == '*') return a * b;
    if (op == '&') return a & b;
    if (op == '|') return a | b;
    if (op == '^') return a ^ b;
    if (op == T_SHL) return a << b;
    if (op == T_EQ) return a == b;
    if (op == T_NE) return a != b;
    if (op == '/' || op == '%') {
        if (b == 0) { if (in_if) return 0; die("division by zero"); }
        if (op == '/') return a / b;
        return a % b;
    }
    if (op == T_SHR) {
        if (u && a < 0 && b > 0) return (a >> b) & ((1 << (64 - b)) - 1);
        return a >> b;
    }
    if (op == '>' || op == T_LE) return fold('<', b, a, u) ^ (op == T_LE);
    if (u) a = below(a, b);
    else a = a < b;
    return a ^ (op == T_GE);
}

long scale(long n)              /* the current value times n */
{
    if (vk == CONST) vv = vv * n;
    else if (n != 1) {
        in_reg();
        o(3, 0x4869C0);                 /* imul rax, rax, n */
        le(4, n);
    }
    return 0;
}

long set(long op, long u)       /* eax = 1 if the flags say so, else 0 */
{
    long c = 0x94;                      /* sete */
    if (op == T_NE) c = 0x95;
    else if (op != T_EQ) {
        c = 0x9C;                       /* setl */
        if (op == T_GE) c = 0x9D;
        if (op == T_LE) c = 0x9E;
        if (op == '>') c = 0x9F;
        if (u) {
            if (c < 0x9E) c = c - 10; else c = c - 8;   /* setb ae be a */
        }
    }
    o(3, 0x0F00C0 + c * 256);
    o(3, 0x0FB6C0);                     /* movzx eax, al */
    vt = I32;
    return 0;
}

long combine_float(long op, long k, long v, long t)
{
    convert(LDBL);
    if (k == CONST) { mov(0, v); o(1, 0x50); }
    if (is_float(t)) o(7, 0xDB2C244883C410);    /* fld tbyte [rsp]; add rsp, 16 */
    else fild(t);
    if (op == '+') o(2, 0xDEC1);        /* faddp */
    else if (op == '*') o(2, 0xDEC9);   /* fmulp */
    else if (op == '-') o(2, 0xDEE1);   /* fsubrp */
    else if (op == '/') o(2, 0xDEF1);   /* fdivrp */
    else {
        o(4, 0xDFF1DDD8);               /* fcomip st0, st1; fstp st0 */
        set(op, 1);
    }
    return 0;
}

/* The operator op on a left operand - the constant v if k is CONST, else pushed
   by code that ended at mark - of type t, and the current value.  */

long combine(long op, long k, long v, long t, long mark)
{
    long compare = op == '<' || op == '>' || op == T_LE || op == T_GE || op == T_EQ || op == T_NE;
    long ct = common(t, vt);            /* type the operation is done in */
    long rt = ct;                       /* type of its result */
    long left = 1;                      /* scale of the left operand */
    long div = 1;
    if (ct == LDBL) return combine_float(op, k, v, t);
    if (op == T_SHL || op == T_SHR) { ct = arith(t); rt = ct; }
    else if (compare) rt = I32;
    else if (is_ptr(t) && is_ptr(vt)) {
        div = ty_size[ty_ref[t]];
        rt = I64;
        ct = I64;
    }
    else if (is_ptr(t)) { scale(ty_size[ty_ref[t]]); rt = t; vt = U64; }
    else if (is_ptr(vt)) { left = ty_size[ty_ref[vt]]; rt = vt; }
    if (op != T_SHL && op != T_SHR) convert(ct);
    if (vk == CONST && k == CONST) {
        vv = fold(op, wrap(v, ct) * left, vv, is_unsigned(ct));
        if (div > 1) vv = vv / div;
        vt = rt;
        if (rt < PTR) vv = wrap(vv, rt);
        return 0;
    }
    if (vk == CONST) {
        if (cp == mark) cp = cp - 1;    /* the push was not needed */
        else o(1, 0x58);                /* pop rax */
        mov(1, vv);
    } else {
        in_reg();
        o(3, 0x4889C1);                 /* mov rcx, rax */
        if (k == CONST) mov(0, v);
        else o(1, 0x58);                /* pop rax */
    }
    vk = REG;
    if (ct != t && ct < I64) extend(ct);
    scale(left);
    if (op == '+') o(3, 0x4801C8);      /* add rax, rcx */
    if (op == '-') o(3, 0x4829C8);      /* sub rax, rcx */
    if (op == '*') o(4, 0x480FAFC1);    /* imul rax, rcx */
    if (op == '&') o(3, 0x4821C8);      /* and rax, rcx */
    if (op == '|') o(3, 0x4809C8);      /* or rax, rcx */
    if (op == '^') o(3, 0x4831C8);      /* xor rax, rcx */
    if (op == T_SHL) o(3, 0x48D3E0);    /* shl rax, cl */
    if (op == T_SHR) {
        if (is_unsigned(ct)) o(3, 0x48D3E8); else o(3, 0x48D3F8);       /* shr, sar */
    }
    if (op == '/' || op == '%') {
        if (is_unsigned(ct)) o(5, 0x31D248F7F1);        /* xor edx, edx; div rcx */
        else o(5, 0x489948F7F9);                        /* cqo; idiv rcx */
        if (op == '%') o(3, 0x4889D0);                  /* mov rax, rdx */
    }
    if (compare) {
        o(3, 0x4839C8);                 /* cmp rax, rcx */
        set(op, is_unsigned(ct));
    }
    if (div > 1) {
        mov(1, div);
        o(5, 0x489948F7F9);
    }
    vt = rt;
    if (compare == 0 && rt < I64) extend(rt);
    return 0;
}

long whole()                    /* the current value is no floating one */
{
    if (is_float(vt)) die("a floating condition");
    return 0;
}

long test_jump(long want, long chain)   /* jump if the value is want (0 or not) */
{
    rvalue();
    whole();
    if (vk == CONST) {
        if ((vv != 0) == want) return jump(chain);
        return chain;
    }
    in_reg();
    o(3, 0x4885C0);                     /* test rax, rax */
    o(2, 0x0F84 + want);                /* jz, jnz */
    le(4, chain);
    return cp - 4;
}

/* ------------------------------------------------------------------ */
/* declarations */

long storage;                   /* K_TYPEDEF, K_STATIC, K_EXTERN or 0 */
long d_id;                      /* name found by declarator */
long p_id[1000];                /* parameters, a stack */
long p_type[1000];
long p_top;
long p_first;                   /* those of the last function declarator */
long p_count;

long is_type()
{
    if (tok >= K_VOID && tok <= K_RESTRICT) return 1;
    if (tok < T_ID) return 0;
    if (id_sym[val] == 0) return 0;
    return s_kind[id_sym[val]] == S_TYPE;
}

long const_value()
{
    long k = vk;
    long v = vv;
    long t = vt;
    long l = lv;
    cond();
    rvalue();
    if (vk != CONST) die("constant expected");
    long r = vv;
    vk = k;
    vv = v;
    vt = t;
    lv = l;
    return r;
}

long add_tag(long id, long t)
{
    if (id == 0) return t;
    tags = tags + 1;
    room(tags, M_TAGS);
    tag_id[tags] = id;
    tag_prev[tags] = id_tag[id];
    id_tag[id] = t;
    return t;
}

long struct_type()
{
    long is_union = tok == K_UNION;
    long id = 0;
    long t = 0;
    next();
    if (tok >= T_ID) { id = val; t = id_tag[id]; next(); }
    if (t == 0 || tok == '{' && ty_size[t] != 0) t = add_tag(id, new_type(STRUCT, 0, 0, 1));
    if (accept('{') == 0) return t;
    long last = 0;
    long size = 0;
    long offset = 0;
    while (tok != '}') {
        long b = base_type();
        long more = 1;
        while (more) {
            d_id = 0;
            long mt = b;
            if (tok != ';') mt = declarator(b);
            if (accept(':')) const_value();
            members = members + 1;
            room(members, M_MEMBERS);
            if (last) m_next[last] = members; else ty_ref[t] = members;
            last = members;
            if (is_union == 0) offset = align_up(size, ty_align[mt]);
            m_id[last] = d_id;
            m_type[last] = mt;
            m_off[last] = offset;
            if (offset + ty_size[mt] > size) size = offset + ty_size[mt];
            if (ty_align[mt] > ty_align[t]) ty_align[t] = ty_align[mt];
            more = accept(',');
        }
        expect(';');
    }
    next();
    ty_size[t] = align_up(size, ty_align[t]);
    return t;
}

long enum_type()
{
    next();
    if (tok >= T_ID) next();
    if (accept('{') == 0) return I32;
    long v = 0;
    while (tok != '}') {
        long id = val;
        if (tok < T_ID) die("a name is needed");
        next();
        if (accept('=')) v = const_value();
        add_sym(id, S_CONST, I32, v);
        v = v + 1;
        accept(',');
    }
    next();
    return I32;
}

long base_type()
{
    long t = 0 - 1;
    long longs = 0;
    long uns = 0;
    long basic = 0;
    long more = is_type();
    storage = 0;
    while (more) {
        if (tok == K_STRUCT || tok == K_UNION) {
            long st = storage;
            t = struct_type();
            storage = st;
        }
        else if (tok == K_ENUM) t = enum_type();
        else {
            if (tok == K_TYPEDEF || tok == K_STATIC || tok == K_EXTERN) storage = tok;
            else if (tok == K_UNSIGNED) { uns = 1; if (basic == 0) basic = K_INT; }
            else if (tok == K_SIGNED) { if (basic == 0) basic = K_INT; }
            else if (tok == K_LONG) { longs = 1; if (basic == 0) basic = K_INT; }
            else if (tok < K_STRUCT) { if (tok != K_INT || basic == 0) basic = tok; }
            else if (tok >= K_DEFINE) t = s_type[id_sym[val]];
            next();
        }
        more = is_type();
        if (tok >= K_DEFINE && (t >= 0 || basic)) more = 0;
    }
    if (t >= 0) return t;
    if (basic == K_VOID) return VOID;
    if (basic == K_CHAR) return I8 + uns;
    if (basic == K_SHORT) return I16 + uns;
    if (basic == K_FLOAT) return FLT;
    if (basic == K_DOUBLE) return DBL + longs;
    if (longs) return I64 + uns;
    return I32 + uns;
}

long params(long t)             /* after "(": a function returning t */
{
    long first = p_top;
    while (tok != ')') {
        if (accept(T_DOTS) == 0) {
            long b = base_type();
            d_id = 0;
            long pt = declarator(b);
            if (ty_kind[pt] == ARRAY) pt = ptr_to(ty_ref[pt]);
            if (ty_kind[pt] == FUNC) pt = ptr_to(pt);
            room(p_top, M_P);
            p_id[p_top] = d_id;
            p_type[p_top] = pt;
            if (pt != VOID) p_top = p_top + 1;
        }
        accept(',');
    }
    next();
    p_first = first;
    p_count = p_top - first;
    p_top = first;
    return new_type(FUNC, t, 1, 1);
}

long suffix(long t)
{
    long n = 0 - 1;
    if (accept('(')) return params(t);
    if (accept('[') == 0) return t;
    if (tok != ']') n = const_value();
    expect(']');
    return array_of(suffix(t), n);
}

long declarator(long t)
{
    long id = 0;
    while (accept('*')) {
        t = ptr_to(t);
        while (tok >= K_CONST && tok <= K_RESTRICT) next();
    }
    d_id = 0;
    if (accept('(')) {
        if (tok != '*' && (tok < T_ID || is_type())) return params(t);
        long hole = new_type(VOID, 0, 0, 1);
        long outer = declarator(hole);
        id = d_id;
        expect(')');
        t = suffix(t);
        d_id = id;
        ty_kind[hole] = ty_kind[t];
        ty_ref[hole] = ty_ref[t];
        ty_size[hole] = ty_size[t];
        ty_align[hole] = ty_align[t];
        ty_len[hole] = ty_len[t];
        return outer;
    }
    if (tok >= K_DEFINE) { id = val; next(); }
    t = suffix(t);
    d_id = id;
    return t;
}

long type_name() { return declarator(base_type()); }

/* ------------------------------------------------------------------ */
/* expressions */

long set_const(long v, long t)
{
    vk = CONST;
    vv = v;
    vt = t;
    lv = 0;
    return 0;
}

long number_token(long id)
{
    long i = id_off[id];
    long v = 0;
    long uns = 0;
    long longs = 0;
    long hex = 0;
    if (names[i] == '0') {
        hex = (names[i + 1] | 32) == 'x';
        if (hex) {
            i = i + 2;
            while (hex_value(names[i]) >= 0) { v = v * 16 + hex_value(names[i]); i = i + 1; }
        }
        else while (is_digit(names[i])) { v = v * 8 + names[i] - '0'; i = i + 1; }
        hex = 1;
    }
    else while (is_digit(names[i])) { v = v * 10 + names[i] - '0'; i = i + 1; }
    if (names[i] == '.') {
        i = i + 1;
        while (names[i] == '0') i = i + 1;
        if (names[i]) die("a fraction");
        set_const(v, I64);
        return convert(LDBL);
    }
    while ((names[i] | 32) == 'u' || (names[i] | 32) == 'l') {
        if ((names[i] | 32) == 'u') uns = 1; else longs = 1;
        i = i + 1;
    }
    if (names[i]) die("bad number");
    if (longs == 0) {
        if (v >= 0 && v < 2147483648) return set_const(v, I32 + uns);
        if (v >= 0 && v <= 0xFFFFFFFF && (hex || uns)) return set_const(v, U32);
    }
    if (v < 0 && hex) uns = 1;
    return set_const(v, I64 + uns);
}

long part[100000];

long string()                   /* adjacent literals */
{
    long n = 0;
    long i = 0;
    while (tok == T_STR) { room(n, M_PART); part[n] = val; n = n + 1; next(); }
    long s = part[0];
    if (n > 1) {
        s = new_str();
        while (i < n) { add_str(str + str_off[part[i]], str_len[part[i]]); i = i + 1; }
        end_str();
    }
    set_const(STRS + str_off[s], array_of(I8, str_len[s] + 1));
    lv = 1;
    return s;
}

long deref()
{
    rvalue();
    if (is_ptr(vt) == 0) die("pointer expected");
    vt = ty_ref[vt];
    lv = 1;
    return 0;
}

long find_member(long t, long id)       /* its offset; its type in vt */
{
    long m = ty_ref[t];
    while (m) {
        if (m_id[m] == id) { vt = m_type[m]; return m_off[m]; }
        if (m_id[m] == 0 && ty_kind[m_type[m]] == STRUCT) {
            long offset = find_member(m_type[m], id);
            if (offset >= 0) return offset + m_off[m];
        }
        m = m_next[m];
    }
    return 0 - 1;
}

long member()                   /* after "." */
{
    if (ty_kind[vt] != STRUCT) die("struct expected");
    long offset = find_member(vt, val);
    if (offset < 0) die("no such member");
    next();
    if (vk != REG) vv = vv + offset;
    else if (offset) { o(2, 0x4805); le(4, offset); }   /* add rax, */
    lv = 1;
    return 0;
}

long step(long n, long post)    /* ++ and -- */
{
    long k = vk;
    long v = vv;
    long t = vt;
    if (is_float(t)) die("a floating ++ or --");
    if (lv == 0) die("lvalue expected");
    if (is_ptr(t)) n = n * ty_size[ty_ref[t]];
    if (k == REG) { o(3, 0x4889C1); k = RCX; }          /* mov rcx, rax */
    if (post) { load(); mem(0, k, v); }
    long size = ty_size[t];
    if (size == 1) o(1, 0x80);                          /* add [], n */
    else if (size == 2) o(2, 0x6681);
    else if (size == 4) o(1, 0x81);
    else o(2, 0x4881);
    mem(0, k, v);
    if (size == 8) size = 4;
    le(size, n);
    if (post == 0) { load(); mem(0, k, v); }
    vk = REG;
    lv = 0;
    return 0;
}

long call()                     /* after "(" */
{
    long k = vk;
    long v = vv;
    long n = 0;
    rvalue();
    if (ty_kind[ty_ref[vt]] != FUNC) die("function expected");
    long t = ty_ref[ty_ref[vt]];
    k = vk;
    if (k != CONST) push();
    o(3, 0x4881EC);                                     /* sub rsp, 8 * n */
    le(4, 0);
    long start = cp;
    while (tok != ')') {
        assign();
        rvalue();
        if (ty_kind[vt] == STRUCT) die("a struct argument");
        in_reg();
        if (is_float(vt)) o(3, 0xDD9C24);               /* fstp qword [rsp + 8 * n] */
        else o(4, 0x48898424);                          /* mov [rsp + 8 * n], rax */
        le(4, n * 8);
        n = n + 1;
        if (tok != ')') expect(',');
    }
    next();
    if (n) put4(start - 4, n * 8);
    else cp = start - 7;
    if (k == CONST) { o(1, 0xE8); le(4, v - CODE - cp - 4); }
    else {
        o(4, 0x488B8424);                               /* mov rax, [rsp + 8 * n] */
        le(4, n * 8);
        o(2, 0xFFD0);                                   /* call rax */
        n = n + 1;
    }
    if (n) { o(3, 0x4881C4); le(4, n * 8); }            /* add rsp, */
    vk = REG;
    vt = t;
    if (is_float(t)) vt = LDBL;
    lv = 0;
    return 0;
}

long postfix()
{
    while (1) {
        if (accept('[')) {
            rvalue();
            long k = vk;
            long v = vv;
            long t = vt;
            if (k != CONST) push();
            long mark = cp;
            expr();
            rvalue();
            if (k == LOCAL) k = REG;
            combine('+', k, v, t, mark);
            expect(']');
            deref();
        }
        else if (accept('(')) call();
        else if (accept('.')) member();
        else if (accept(T_ARROW)) { deref(); member(); }
        else if (accept(T_INC)) step(1, 1);
        else if (accept(T_DEC)) step(0 - 1, 1);
        else return 0;
    }
}

long primary()
{
    long s = 0;
    if (tok == T_NUM) { number_token(val); next(); }
    else if (tok == T_CHR) { set_const(wrap(val, I8), I32); next(); }
    else if (tok == T_STR) string();
    else if (tok < T_ID) die("expression expected");
    else {
        s = id_sym[val];
        if (s == 0 && in_if == 0) {
            die_name(val, "undeclared");
        }
        next();
        if (s == 0) { set_const(0, I32); return 0; }
        s_used[s] = 1;
        if (s_kind[s] == S_TYPE) die("expression expected");
        vk = CONST;
        if (s_kind[s] == S_LOCAL) vk = LOCAL;
        vv = s_val[s];
        vt = s_type[s];
        lv = s_kind[s] == S_VAR || s_kind[s] == S_LOCAL;
    }
    return 0;
}

long cast(long t)
{
    rvalue();
    if (t != VOID && ty_kind[t] < PTR) return convert(t);
    vt = t;
    return 0;
}

long sizeof_value()
{
    long start = cp;
    long t = 0;
    if (accept('(')) {
        if (is_type()) { t = type_name(); expect(')'); }
        else { expr(); expect(')'); postfix(); t = vt; }
    }
    else { unary(); t = vt; }
    cp = start;
    set_const(ty_size[t], U64);
    return 0;
}

long unary()
{
    long op = tok;
    if (accept('(')) {
        if (is_type()) {
            long t = type_name();
            expect(')');
            unary();
            return cast(t);
        }
        expr();
        expect(')');
        return postfix();
    }
    if (accept(K_SIZEOF)) return sizeof_value();
    if (op == T_INC || op == T_DEC) {
        next();
        unary();
        if (op == T_INC) return step(1, 0);
        return step(0 - 1, 0);
    }
    if (op != '-' && op != '+' && op != '~' && op != '!' && op != '*' && op != '&') {
        primary();
        return postfix();
    }
    next();
    unary();
    if (op == '*') return deref();
    if (op == '&') {
        vt = ptr_to(vt);
        lv = 0;
        return 0;
    }
    rvalue();
    if (op == '!') {
        whole();
        if (vk == CONST) vv = vv == 0;
        else { in_reg(); o(5, 0x4885C00F94); o(4, 0xC00FB6C0); }        /* test; sete al; movzx */
        vt = I32;
        return 0;
    }
    convert(arith(vt));
    if (op == '+') return 0;
    if (vk == CONST) {
        if (op == '-') vv = 0 - vv; else vv = 0 - 1 - vv;
        vv = wrap(vv, vt);
    } else {
        if (vt == LDBL) o(2, 0xD9E0);                                   /* fchs */
        else if (op == '-') o(3, 0x48F7D8);                             /* neg rax */
        else o(3, 0x48F7D0);                                            /* not rax */
        if (vt < I64) extend(vt);
    }
    return 0;
}

long prec(long t)
{
    if (t == '*' || t == '/' || t == '%') return 10;
    if (t == '+' || t == '-') return 9;
    if (t == T_SHL || t == T_SHR) return 8;
    if (t == '<' || t == '>' || t == T_LE || t == T_GE) return 7;
    if (t == T_EQ || t == T_NE) return 6;
    if (t == '&') return 5;
    if (t == '^') return 4;
    if (t == '|') return 3;
    if (t == T_ANDAND) return 2;
    return t == T_OROR;
}

long logical(long op, long p)
{
    long or = op == T_OROR;
    long start = cp;
    if (vk == CONST) {
        long decided = (vv != 0) == or;
        binary(p + 1);
        if (decided) {
            cp = start;
            set_const(or, I32);
            return 0;
        }
        rvalue();
        whole();
        if (vk == CONST) { set_const(vv != 0, I32); return 0; }
        in_reg();
        o(5, 0x4885C00F95);             /* test rax, rax; setne al */
        o(4, 0xC00FB6C0);
        vt = I32;
        return 0;
    }
    long chain = test_jump(or, 0);
    binary(p + 1);
    chain = test_jump(or, chain);
    mov(0, or == 0);
    long end = jump(0);
    patch(chain, cp);
    mov(0, or);
    patch(end, cp);
    vk = REG;
    vt = I32;
    lv = 0;
    return 0;
}

long binary(long level)
{
    unary();
    while (prec(tok) >= level) {
        long op = tok;
        long p = prec(op);
        rvalue();
        next();
        if (p < 3) logical(op, p);
        else {
            long k = vk;
            long v = vv;
            long t = vt;
            if (k != CONST) { push(); k = REG; }
            long mark = cp;
            binary(p + 1);
            rvalue();
            combine(op, k, v, t, mark);
        }
    }
    return 0;
}

long join_type(long t)          /* type of ?: with operands of types t and vt */
{
    if (is_ptr(t) || t == VOID || ty_kind[t] == STRUCT) return t;
    if (is_ptr(vt) || vt == VOID) return vt;
    return common(t, vt);
}

long cond()
{
    binary(1);
    if (tok != '?') return 0;
    rvalue();
    next();
    long start = cp;
    long t;
    if (vk == CONST) {
        long take = vv != 0;
        expr();
        rvalue();
        long k = vk;
        long v = vv;
        t = vt;
        if (take == 0) cp = start;
        long mid = cp;
        expect(':');
        cond();
        rvalue();
        long j = join_type(t);
        if (take) {
            cp = mid;
            vk = k;
            vv = v;
            vt = t;
        }
        if (j < PTR && j != VOID) convert(j);
        vt = j;
        return 0;
    }
    long other = test_jump(0, 0);
    expr();
    rvalue();
    in_reg();
    t = vt;
    long end = jump(0);
    patch(other, cp);
    expect(':');
    cond();
    rvalue();
    in_reg();
    patch(end, cp);
    if (is_float(t) != is_float(vt)) die("?: of a floating and another value");
    t = join_type(t);
    if (t < I64 && t != VOID) extend(t);
    vt = t;
    return 0;
}

long copy_struct(long k, long v, long size)     /* from the current value */
{
    in_reg();
    o(3, 0x4889C6);                             /* mov rsi, rax */
    if (k == REG) o(1, 0x5F);                   /* pop rdi */
    else if (k == CONST) { o(1, 0xBF); le(4, v); }      /* mov edi, v */
    else { o(3, 0x488DBD); le(4, v); }          /* lea rdi, [rbp+v] */
    o(1, 0xB9);                                 /* mov ecx, size */
    le(4, size);
    o(2, 0xF3A4);                               /* rep movsb */
    return 0;
}

long assign_to(long k, long v, long t)  /* the current value; REG: address was pushed */
{
    if (ty_kind[t] == STRUCT) return copy_struct(k, v, ty_size[t]);
    rvalue();
    if (ty_kind[t] < PTR) convert(t);
    in_reg();
    vt = t;
    if (k == REG) { o(1, 0x59); k = RCX; }      /* pop rcx */
    store(k, v);
    if (is_float(t)) {                  /* st0 is empty now: the object is the value */
        vk = k;
        vv = v;
        lv = 1;
        if (k == RCX) vt = VOID;
    }
    return 0;
}

long assign()
{
    cond();
    long k = vk;
    long v = vv;
    long t = vt;
    long op = tok - T_ASSIGN;
    if (tok == '=') {
        if (lv == 0) die("lvalue expected");
        if (k == REG) o(1, 0x50);               /* push rax */
        next();
        assign();
        return assign_to(k, v, t);
    }
    if (op < 0 || tok >= T_ID) return 0;
    if (lv == 0) die("lvalue expected");
    if (k == REG) o(1, 0x50);
    rvalue();
    long lt = vt;
    push();
    long mark = cp;
    next();
    assign();
    rvalue();
    combine(op, REG, 0, lt, mark);
    return assign_to(k, v, t);
}

long expr()
{
    assign();
    while (accept(',')) assign();
    return 0;
}

/* ------------------------------------------------------------------ */
/* initializers, variables and functions */

long frame;                     /* offset of the lowest local so far */
long frame_max;
long ret_type;

long alloc_local(long size)
{
    frame = 0 - align_up(size - frame, 8);
    if (frame < frame_max) frame_max = frame;
    return frame;
}

long init_scalar(long t, long k, long v)
{
    long brace = accept('{');
    long n = ty_size[t];
    assign();
    if (brace) { accept(','); expect('}'); }
    if (k == LOCAL) return assign_to(k, v, t);
    rvalue();
    if (vk != CONST) die("initializer is not constant");
    if (is_float(t) && vv != 0) die("a static floating object that isn't 0");
    if (ty_kind[t] < FLT) convert(t);
    v = v - DATA;
    room(v + n, M_DATA);
    while (n) {
        data[v] = vv;
        vv = vv >> 8;
        v = v + 1;
        n = n - 1;
    }
    return 0;
}

long init_string(long t, long v)        /* a char array, global */
{
    string();
    long n = ty_size[vt];
    long s = vv - STRS;
    if (ty_len[t] < 0) { ty_len[t] = n; ty_size[t] = n; }
    if (n > ty_len[t]) n = ty_len[t];
    room(v - DATA + n, M_DATA);
    copy(data + v - DATA, str + s, n);
    return 0;
}

long local_size(long t)         /* an array of unknown length gets this much */
{
    if (ty_kind[t] == ARRAY && ty_len[t] < 0) return M_UNKNOWN * ty_size[ty_ref[t]];
    return ty_size[t];
}

long init(long t, long k, long v)
{
    long kind = ty_kind[t];
    long i = 0;
    if (kind != ARRAY && kind != STRUCT) return init_scalar(t, k, v);
    if (kind == ARRAY && tok == T_STR && ty_size[ty_ref[t]] == 1) {
        if (k == LOCAL) die("a local char array and a string");
        return init_string(t, v);
    }
    long brace = accept('{');
    if (brace && tok == '.' || brace && tok == '[') die("a designated initializer");
    if (brace && tok == T_STR && kind == ARRAY && ty_size[ty_ref[t]] == 1) {
        if (k == LOCAL) die("a local char array and a string");
        init_string(t, v);
        expect('}');
        return 0;
    }
    long m = ty_ref[t];
    long more = tok != '}';
    while (more) {
        if (kind == ARRAY && ty_len[t] >= 0 && i >= ty_len[t]) die("too many initializers");
        if (kind == ARRAY && ty_len[t] < 0 && k == LOCAL && i >= M_UNKNOWN)
            die("more elements than a local array of unknown length has");
        if (kind == ARRAY) init(m, k, v + i * ty_size[m]);
        else {
            init(m_type[m], k, v + m_off[m]);
            long offset = m_off[m];
            m = m_next[m];
            while (m && m_off[m] == offset) m = m_next[m];      /* union */
        }
        i = i + 1;
        more = 0;
        if (brace || kind == ARRAY && i < ty_len[t] || kind == STRUCT && m) {
            if (tok == ',') { next(); more = tok != '}'; }
        }
        if (kind == STRUCT && m == 0) more = 0;
    }
    if (kind == ARRAY && ty_len[t] < 0) {
        ty_len[t] = i;
        ty_size[t] = i * ty_size[m];
    }
    if (brace) expect('}');
    return 0;
}

long init_local(long t, long v)
{
    if (ty_kind[t] == ARRAY && tok != '{') die("a local array and no {");
    if (tok == '{') {
        o(3, 0x488DBD);                 /* lea rdi, [rbp+v] */
        le(4, v);
        o(3, 0x31C0B9);                 /* xor eax, eax; mov ecx, size */
        le(4, local_size(t));
        o(2, 0xF3AA);                   /* rep stosb */
        return init(t, LOCAL, v);
    }
    assign();
    return assign_to(LOCAL, v, t);
}

long variable(long id, long t, long st, long global)
{
    long s = 0;
    if (global == 0 && st == 0) {
        if (ty_kind[t] == VOID) die("a variable without a type");
        add_sym(id, S_LOCAL, t, alloc_local(local_size(t)));
        if (accept('=')) init_local(t, frame);
        return 0;
    }
    if (global || st == K_EXTERN) s = id_sym[id];
    if (s) if (s_kind[s] != S_VAR) die("not a variable");
    if (s == 0 && global == 0 && st == K_EXTERN) die("extern of nothing known");
    if (s == 0) {
        dp = align_up(dp, 16);
        s = add_sym(id, S_VAR, t, DATA + dp);
        if (ty_size[t] == 0 && tok != '=') s_val[s] = 0;        /* not yet known */
        dp = dp + ty_size[t];
    }
    room(dp + 16, M_DATA);
    if (s_val[s] == 0 && ty_size[t]) { dp = align_up(dp, 16); s_val[s] = DATA + dp; dp = dp + ty_size[t]; }
    if (ty_size[t]) s_type[s] = t;
    if (accept('=')) {
        long unknown = ty_size[t] == 0;
        if (unknown) { dp = align_up(dp, 16); s_val[s] = DATA + dp; }
        init(t, CONST, s_val[s]);
        if (unknown) dp = dp + ty_size[t];
        s_type[s] = t;
    }
    room(dp, M_DATA);
    return 0;
}

long lab_id[1000];              /* labels of the function */
long lab_pos[1000];
long lab_chain[1000];
long labs;

long label(long id)
{
    long i = 0;
    while (i < labs) {
        if (lab_id[i] == id) return i;
        i = i + 1;
    }
    room(labs, M_LABS);
    lab_id[labs] = id;
    lab_pos[labs] = 0;
    lab_chain[labs] = 0;
    labs = labs + 1;
    return i;
}

long function(long id, long t)  /* 1 if it has a body */
{
    long s = id_sym[id];
    if (s == 0) {
        s = add_sym(id, S_FUNC, t, CODE + cp);
        if (tok != '{') jump(0);        /* calls go through here */
    }
    else if (tok == '{') {
        if (s_done[s]) die("function defined twice");
        patch(s_val[s] - CODE + 1, cp);
    }
    s_type[s] = t;
    if (tok != '{') return 0;
    s_done[s] = 1;
    long old_syms = syms;
    long old_tags = tags;
    long i = 0;
    while (i < p_count) {
        add_sym(p_id[p_first + i], S_LOCAL, p_type[p_first + i], 16 + i * 8);
        i = i + 1;
    }
    frame = 0;
    frame_max = 0;
    labs = 0;
    ret_type = ty_ref[t];
    if (ty_kind[ret_type] == STRUCT) die("a struct result");
    o(4, 0x554889E5);                   /* push rbp; mov rbp, rsp */
    o(3, 0x4881EC);                     /* sub rsp, frame */
    long fix = cp;
    le(4, 0);
    block();
    o(2, 0xC9C3);                       /* leave; ret */
    put4(fix, align_up(0 - frame_max, 16));
    i = 0;
    while (i < labs) {
        if (lab_pos[i] == 0) die("missing label");
        patch(lab_chain[i], lab_pos[i]);
        i = i + 1;
    }
    leave(old_syms, old_tags);
    return 1;
}

long declaration(long global)
{
    long b = base_type();
    long st = storage;
    if (accept(';')) return 0;
    while (1) {
        long t = declarator(b);
        long id = d_id;
        if (st == K_TYPEDEF) add_sym(id, S_TYPE, t, 0);
        else if (ty_kind[t] == FUNC) { if (function(id, t)) return 0; }
        else variable(id, t, st, global);
        if (accept(',') == 0) { expect(';'); return 0; }
    }
}

/* ------------------------------------------------------------------ */
/* statements */

long brk;                       /* jumps out of the loop or switch */
long cont;                      /* jumps to its next round */
long case_val[5000];
long case_pos[5000];
long cases;
long default_pos;

long block()                    /* at "{" */
{
    long old_syms = syms;
    long old_tags = tags;
    long old_frame = frame;
    expect('{');
    while (tok != '}') {
        if (is_type()) declaration(0);
        else statement();
    }
    leave(old_syms, old_tags);
    frame = old_frame;
    next();
    return 0;
}

long condition()                /* "(" expression ")": jumps taken if it is 0 */
{
    expect('(');
    expr();
    long chain = test_jump(0, 0);
    expect(')');
    return chain;
}

long loop(long kind)
{
    long old_brk = brk;
    long old_cont = cont;
    long old_syms = syms;
    long old_frame = frame;
    long top = cp;
    long again = cp;            /* where continue goes */
    long chain = 0;
    brk = 0;
    cont = 0;
    next();
    if (kind == K_WHILE) brk = condition();
    if (kind == K_FOR) {
        expect('(');
        if (is_type()) declaration(0);
        else {
            if (tok != ';') expr();
            expect(';');
        }
        top = cp;
        if (tok != ';') { expr(); brk = test_jump(0, 0); }
        expect(';');
        again = top;
        if (tok != ')') {
            chain = jump(0);
            again = cp;
            expr();
            jump_to(top);
            patch(chain, cp);
        }
        expect(')');
    }
    statement();
    if (kind == K_DO) {
        if (tok != K_WHILE) die("while expected");
        next();
        again = cp;
        chain = condition();
        expect(';');
        jump_to(top);
        patch(chain, cp);
    }
    else jump_to(again);
    patch(cont, again);
    patch(brk, cp);
    brk = old_brk;
    cont = old_cont;
    leave(old_syms, tags);
    frame = old_frame;
    return 0;
}

long switch_statement()
{
    long old_brk = brk;
    long old_cases = cases;
    long old_default = default_pos;
    long old_frame = frame;
    brk = 0;
    default_pos = 0;
    next();
    expect('(');
    expr();
    rvalue();
    convert(arith(vt));
    long t = vt;
    long v = alloc_local(8);
    in_reg();
    vt = I64;
    store(LOCAL, v);
    expect(')');
    long dispatch = jump(0);
    statement();
    brk = jump(brk);
    patch(dispatch, cp);
    vt = I64;
    load();
    mem(0, LOCAL, v);
    long i = old_cases;
    while (i < cases) {
        mov(1, wrap(case_val[i], t));
        o(5, 0x4839C80F84);             /* cmp rax, rcx; je */
        le(4, case_pos[i] - cp - 4);
        i = i + 1;
    }
    if (default_pos) jump_to(default_pos);
    patch(brk, cp);
    brk = old_brk;
    cases = old_cases;
    default_pos = old_default;
    frame = old_frame;
    return 0;
}

long statement()
{
    long chain;
    long id;
    if (tok == '{') return block();
    if (tok == K_WHILE || tok == K_DO || tok == K_FOR) return loop(tok);
    if (tok == K_SWITCH) return switch_statement();
    if (accept(K_IF)) {
        chain = condition();
        statement();
        if (accept(K_ELSE)) {
            long end = jump(0);
            patch(chain, cp);
            statement();
            chain = end;
        }
        patch(chain, cp);
        return 0;
    }
    if (accept(K_CASE)) {
        room(cases, M_CASES);
        case_val[cases] = const_value();
        case_pos[cases] = cp;
        cases = cases + 1;
        expect(':');
        return statement();
    }
    if (accept(K_DEFAULT)) {
        default_pos = cp;
        expect(':');
        return statement();
    }
    if (accept(K_BREAK)) { brk = jump(brk); expect(';'); return 0; }
    if (accept(K_CONTINUE)) { cont = jump(cont); expect(';'); return 0; }
    if (accept(K_RETURN)) {
        if (tok != ';') {
            expr();
            rvalue();
            if (ty_kind[ret_type] < PTR && ret_type != VOID) convert(ret_type);
            in_reg();
        }
        o(2, 0xC9C3);                   /* leave; ret */
        expect(';');
        return 0;
    }
    if (accept(K_GOTO)) {
        id = label(val);
        lab_chain[id] = jump(lab_chain[id]);
        next();
        expect(';');
        return 0;
    }
    if (tok >= K_DEFINE) {                 /* a label? */
        long save_tok = tok;
        long save_val = val;
        next();
        if (accept(':')) {
            lab_pos[label(save_val)] = cp;
            if (tok == '}') return 0;
            return statement();
        }
        un = 1;
        un_tok = tok;
        un_val = val;
        tok = save_tok;
        val = save_val;
    }
    if (tok != ';') {
        expr();
        if (is_float(vt) && vk == REG && lv == 0) o(2, 0xDDD8);         /* fstp st0 */
    }
    expect(';');
    return 0;
}

/* ------------------------------------------------------------------ */
/* the program */

long intrinsic(char *name, long t)
{
    add_sym(intern(name, len(name)), S_FUNC, new_type(FUNC, t, 1, 1), CODE + cp);
    s_done[syms] = 1;
    return 0;
}

long segment(long offset, long addr, long size, long flags)
{
    le(4, 1);
    le(4, flags);
    le(8, offset);
    le(8, addr);
    le(8, addr);
    le(8, size);
    le(8, size);
    le(8, 4096);
    return 0;
}

long write_all(long fd, char *p, long n)
{
    while (n > 0) {
        long k = syscall(1, fd, p, n);
        if (k <= 0) die("cannot write");
        p = p + k;
        n = n - k;
    }
    return 0;
}

long output(char *path)
{
    long size = align_up(cp, 4096);
    long data_size = align_up(dp, 4096);
    long i = 0;
    while (i < syms) {
        i = i + 1;
        if (s_kind[i] == S_FUNC && s_done[i] == 0 && s_used[i]) {
            die_name(s_id[i], "used and not defined");
        }
    }
    cp = 0;
    o(8, 0x7F454C4602010100);           /* ELF, 64 bits, little-endian */
    le(8, 0);
    le(4, 0x3E0002);                    /* executable, x86-64 */
    le(4, 1);
    le(8, CODE + HEAD);                 /* entry */
    le(8, 64);                          /* program headers */
    le(8, 0);
    le(4, 0);
    le(4, 0x380040);
    le(4, 3);
    le(4, 0);
    segment(0, CODE, size, 5);
    segment(size, DATA, data_size, 6);
    segment(size + data_size, STRS, str_top, 6);
    i = syscall(2, path, 577, 493);     /* O_WRONLY|O_CREAT|O_TRUNC, 0755 */
    if (i < 0) die("cannot create the output");
    write_all(i, code, size);
    write_all(i, data, data_size);
    write_all(i, str, str_top);
    return 0;
}

long main(long argc, char **argv)
{
    if (argc < 3) die("usage: cc OUTPUT [-Dname[=text]] [-Idir] FILE...");
    long i = 0;
    long start = 0;
    char *a = "void char short int long float double signed unsigned struct union enum typedef static extern const volatile register inline restrict sizeof if else while do for switch case default break continue return goto define undef include ifdef ifndef elif endif defined error line ";
    while (a[i]) {
        if (a[i] == ' ') { intern(a + start, i - start); start = i + 1; }
        i = i + 1;
    }
    types = 0;
    while (types <= LDBL) {             /* 1 1 2 2 4 4 8 8 4 8 16 bytes */
        i = types;
        ty_kind[i] = i;
        ty_size[i] = 1;
        if (i > U8) ty_size[i] = 2;
        if (i > U16) ty_size[i] = 4;
        if (i > U32) ty_size[i] = 8;
        if (i == FLT) ty_size[i] = 4;
        if (i == LDBL) ty_size[i] = 16;
        ty_align[i] = ty_size[i];
        types = types + 1;
    }
    str_top = 8;
    dp = 16;
    data[2] = 0x80;                     /* 2 to the 64th, as a float */
    data[3] = 0x5F;
    cp = HEAD;
    o(3, 0x4889E0);                     /* mov rax, rsp */
    o(4, 0x488D4808);                   /* lea rcx, [rax+8] */
    o(3, 0x51FF30);                     /* push rcx; push [rax] */
    o(1, 0xE8);                         /* call main */
    long start_call = cp;
    le(4, 0);
    o(2, 0x50E8);                       /* push rax; call exit */
    long exit_call = cp;
    le(4, 0);
    intrinsic("__syscall", I64);
    o(5, 0x488B442408);                 /* mov rax, [rsp+8] */
    o(5, 0x488B7C2410);                 /* mov rdi, [rsp+16] */
    o(5, 0x488B742418);                 /* mov rsi, [rsp+24] */
    o(5, 0x488B542420);                 /* mov rdx, [rsp+32] */
    o(5, 0x4C8B542428);                 /* mov r10, [rsp+40] */
    o(3, 0x0F05C3);                     /* syscall; ret */
    intrinsic("setjmp", I32);
    o(5, 0x488B4C2408);                 /* mov rcx, [rsp+8] */
    o(7, 0x488B0424488901);             /* mov rax, [rsp]; mov [rcx], rax */
    o(8, 0x4889610848896910);           /* mov [rcx+8], rsp; mov [rcx+16], rbp */
    o(3, 0x31C0C3);                     /* xor eax, eax; ret */
    intrinsic("longjmp", VOID);
    o(5, 0x488B4C2408);                 /* mov rcx, [rsp+8] */
    o(5, 0x488B442410);                 /* mov rax, [rsp+16] */
    o(8, 0x488B6108488B6910);           /* mov rsp, [rcx+8]; mov rbp, [rcx+16] */
    o(8, 0x488B1148891424C3);           /* mov rdx, [rcx]; mov [rsp], rdx; ret */

    long text = src_top;                /* -D: lines of #define */
    i = 2;
    while (i < argc) {
        a = argv[i];
        if (a[0] == '-' && a[1] == 'I') {
            room(ndirs, M_DIRS);
            dirs[ndirs] = intern(a + 2, len(a + 2));
            ndirs = ndirs + 1;
        }
        else if (a[0] == '-' && a[1] == 'D') {
            room(text + len(a) + 16, M_SRC);
            text = text + copy(src + text, "#define ", 8);
            start = text;
            text = text + copy(src + text, a + 2, len(a) - 2);
            long j = start;
            while (j < text && src[j] != '=') j = j + 1;
            if (j < text) src[j] = ' '; else text = text + copy(src + text, " 1", 2);
            src[text] = 10;
            text = text + 1;
        }
        else if (a[0] == '-') die("unknown option");
        i = i + 1;
    }
    push_file(0, text, 0);
    next();
    i = 2;
    while (i < argc) {
        a = argv[i];
        if (a[0] != '-') {
            if (open_file(a) == 0) die("cannot open file");
            next();
            while (tok != T_EOF) declaration(1);
            if (conds) die("missing #endif");
        }
        i = i + 1;
    }
    long m = id_sym[intern("main", 4)];
    long e = id_sym[intern("exit", 4)];
    if (m == 0 || e == 0) die("main and exit are needed");
    patch(start_call, s_val[m] - CODE);
    patch(exit_call, s_val[e] - CODE);
    output(argv[1]);
    return 0;
}
