# Mozilla's certdata.txt to one file of PEM: the certificates that it trusts to issue servers' certificates.
#
# The file is a list of objects. A certificate has its bytes, as octal numbers; a trust object says what the certificate with its
# issuer and serial number is good for. Dates from which on a certificate's new ones aren't trusted (CKA_NSS_SERVER_DISTRUST_AFTER)
# have no place in PEM; bundles of other distributions leave them out too.

BEGIN {
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
}

/^#/ || !begun {
    if ($1 == "BEGINDATA") begun = 1
    next
}

in_octal {
    if ($1 == "END") in_octal = 0
    else value[field] = value[field] $1
    next
}

$2 == "MULTILINE_OCTAL" {
    field = $1
    value[field] = ""
    in_octal = 1
    next
}

$1 == "CKA_CLASS" {
    finish()
    value["CKA_CLASS"] = $3
    next
}

$1 ~ /^CKA_TRUST_SERVER_AUTH$/ { value[$1] = $3 }

$1 == "CKA_LABEL" {
    label = $0
    sub(/^[^"]*"/, "", label)
    sub(/"$/, "", label)
    value[$1] = label
}

function finish(    key) {
    key = value["CKA_ISSUER"] " " value["CKA_SERIAL_NUMBER"]
    if (value["CKA_CLASS"] == "CKO_CERTIFICATE") {
        count++
        keys[count] = key
        labels[count] = value["CKA_LABEL"]
        certificates[count] = value["CKA_VALUE"]
    } else if (value["CKA_CLASS"] == "CKO_NSS_TRUST" && value["CKA_TRUST_SERVER_AUTH"] == "CKT_NSS_TRUSTED_DELEGATOR") {
        trusted[key] = 1
    }
    split("", value)
}

# `\060\202…` in base64, 64 characters a line.
function print_base64(octal,    position, length_, bytes, number, line, i, left) {
    length_ = length(octal)
    line = ""
    for (position = 1; position <= length_; position += 12) {
        number = 0
        left = 0
        for (i = 0; i < 3; i++) {
            number *= 256
            if (position + 4 * i <= length_) {
                bytes = substr(octal, position + 4 * i + 1, 3)
                number += substr(bytes, 1, 1) * 64 + substr(bytes, 2, 1) * 8 + substr(bytes, 3, 1)
                left++
            }
        }
        line = line substr(alphabet, int(number / 262144) + 1, 1) substr(alphabet, int(number / 4096) % 64 + 1, 1) \
            (left > 1 ? substr(alphabet, int(number / 64) % 64 + 1, 1) : "=") (left > 2 ? substr(alphabet, number % 64 + 1, 1) : "=")
        if (length(line) == 64) {
            print line
            line = ""
        }
    }
    if (line != "") print line
}

END {
    finish()
    for (i = 1; i <= count; i++) {
        if (!(keys[i] in trusted)) continue
        print "# " labels[i]
        print "-----BEGIN CERTIFICATE-----"
        print_base64(certificates[i])
        print "-----END CERTIFICATE-----"
        written++
    }
    if (written < 100) {
        print "error: only " written + 0 " certificates were found in certdata.txt; is it of another form?" >"/dev/stderr"
        exit 1
    }
}
