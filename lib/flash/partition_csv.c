/* SPDX-License-Identifier: Apache-2.0 */
/* ESP-IDF's CSV of a partition table: the reading and printing half of gen_esp32part.py. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "flash/partition_names.h"

#define LINE_MAX_LEN 512
#define FIELDS       6
#define TABLE_SECTOR 0x1000u

enum { NAME, TYPE, SUBTYPE, OFFSET, SIZE, FLAGS };

typedef struct {
    partition_t entry;
    bool has_offset;
    int64_t size; /* negative: up to that address */
} row_t;

/* ---- numbers and words ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Python's int(text, 0) within what a flash can need: sign, 0x, 0o, 0b, decimal without leading
   zeros. */
static bool parse_plain(const char *text, size_t len, int64_t *out)
{
    bool negative = len > 0 && text[0] == '-';
    if (len > 0 && (text[0] == '-' || text[0] == '+')) {
        text++;
        len--;
    }
    int base = 10;
    if (len > 2 && text[0] == '0') {
        char c = (char)tolower((unsigned char)text[1]);
        base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
    }
    if (base != 10) {
        text += 2;
        len -= 2;
    }
    int64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        int d = digit_of(text[i]);
        if (d >= base || (base == 10 && i == 1 && text[0] == '0' && strspn(text, "0") < len)) {
            return false;
        }
        value = value * base + d;
        if (value > (int64_t)UINT32_MAX) {
            return false;
        }
    }
    *out = negative ? -value : value;
    return len > 0;
}

static bool parse_number(const char *text, int64_t *out)
{
    size_t len = strlen(text);
    int64_t factor = 1;
    while (len > 0 && factor < INT64_C(1) << 30) {
        char c = (char)tolower((unsigned char)text[len - 1]);
        if (c != 'k' && c != 'm') {
            break;
        }
        factor *= c == 'k' ? 1024 : 1024 * 1024;
        len--;
    }
    if (!parse_plain(text, len, out)) {
        return false;
    }
    *out *= factor;
    return *out >= -(int64_t)UINT32_MAX && *out <= (int64_t)UINT32_MAX;
}

bool partition_parse_size(const char *text, uint32_t *out)
{
    int64_t value;
    if (!parse_number(text, &value) || value < 0) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static bool parse_byte(const char *text, int keyword, const char *what, uint8_t *out, err_t *err)
{
    int64_t value;
    if (keyword >= 0) {
        *out = (uint8_t)keyword;
        return true;
    }
    if (!parse_number(text, &value) || value < 0 || value > 0xff) {
        return err_set(err, ERR_INPUT,
                       "\"%s\" is no %s that is known here, nor a number up to 0xff", text, what);
    }
    *out = (uint8_t)value;
    return true;
}

/* ---- one row ---- */

/* Cuts a line into trimmed fields in place; missing ones are empty, more than six are ignored. */
static void split(char *line, char *fields[FIELDS])
{
    static char nothing[1];
    for (int i = 0; i < FIELDS; i++) {
        fields[i] = nothing;
    }
    for (int i = 0; i < FIELDS && line != NULL; i++) {
        char *comma = strchr(line, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        while (isspace((unsigned char)*line)) {
            line++;
        }
        size_t len = strlen(line);
        while (len > 0 && isspace((unsigned char)line[len - 1])) {
            line[--len] = '\0';
        }
        fields[i] = line;
        line = comma != NULL ? comma + 1 : NULL;
    }
}

static bool parse_flags(char *text, uint32_t *flags, err_t *err)
{
    *flags = 0;
    while (text != NULL) {
        char *next = strchr(text, ':');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (strcmp(text, "encrypted") == 0) {
            *flags |= PARTITION_FLAG_ENCRYPTED;
        } else if (strcmp(text, "readonly") == 0) {
            *flags |= PARTITION_FLAG_READONLY;
        } else if (text[0] != '\0') {
            return err_set(err, ERR_INPUT, "\"%s\" is no flag; there are encrypted and readonly",
                           text);
        }
        text = next;
    }
    return true;
}

static bool parse_types(char *const fields[FIELDS], partition_t *e, err_t *err)
{
    if (!parse_byte(fields[TYPE], partition_type_value(fields[TYPE]), "type", &e->type, err)) {
        return false;
    }
    if (e->type == PARTITION_BOOTLOADER || e->type == PARTITION_TABLE) {
        return err_set(err, ERR_INPUT,
                       "rows for the bootloader and the table itself are not "
                       "supported; remove them");
    }
    if (fields[SUBTYPE][0] == '\0' && e->type != PARTITION_APP) {
        e->subtype = PARTITION_DATA_UNDEFINED;
        return true;
    }
    return parse_byte(fields[SUBTYPE], partition_subtype_value(e->type, fields[SUBTYPE]), "subtype",
                      &e->subtype, err);
}

static bool parse_row(char *line, row_t *row, err_t *err)
{
    char *fields[FIELDS];
    memset(row, 0, sizeof *row);
    split(line, fields);
    size_t len = strlen(fields[NAME]);
    if (len == 0 || len > PARTITION_LABEL_MAX) {
        return err_set(err, ERR_INPUT, "the name has %zu characters; 1 to %d are allowed", len,
                       PARTITION_LABEL_MAX);
    }
    for (size_t i = 0; i < len; i++) {
        if (fields[NAME][i] < 0x21 || fields[NAME][i] > 0x7e) {
            return err_set(err, ERR_INPUT, "the name may only have printable ASCII characters");
        }
    }
    memcpy(row->entry.label, fields[NAME], len + 1);
    int64_t offset = 0;
    row->has_offset = fields[OFFSET][0] != '\0';
    if (row->has_offset && (!parse_number(fields[OFFSET], &offset) || offset < 0)) {
        return err_set(err, ERR_INPUT, "\"%s\" is not an offset", fields[OFFSET]);
    }
    row->entry.offset = (uint32_t)offset;
    if (!parse_number(fields[SIZE], &row->size)) {
        return err_set(err, ERR_INPUT, "\"%s\" is not a size", fields[SIZE]);
    }
    return parse_types(fields, &row->entry, err) &&
           parse_flags(fields[FLAGS], &row->entry.flags, err);
}

/* ---- the table ---- */

/* Fills in what the row left open, given where the partition before it ends. */
static bool place_row(row_t *row, uint32_t *end, err_t *err)
{
    partition_t *e = &row->entry;
    uint64_t offset = e->offset;
    if (!row->has_offset) {
        uint64_t align = e->type == PARTITION_APP ? 0x10000 : 0x1000;
        offset = (*end + align - 1) / align * align;
    } else if (offset < *end) {
        return err_set(err, ERR_INPUT,
                       "its offset 0x%x is below 0x%x, where what is before it ends",
                       (unsigned)e->offset, (unsigned)*end);
    }
    int64_t size = row->size < 0 ? -row->size - (int64_t)offset : row->size;
    if (size < 0 || offset + (uint64_t)size > UINT32_MAX) {
        return err_set(err, ERR_INPUT, "it would end before it begins, or beyond 32 bits");
    }
    e->offset = (uint32_t)offset;
    e->size = (uint32_t)size;
    *end = e->offset + e->size;
    return true;
}

static bool add_line(char *line, partition_table_t *table, uint32_t *end, err_t *err)
{
    while (isspace((unsigned char)*line)) {
        line++;
    }
    if (*line == '\0' || *line == '#') {
        return true;
    }
    if (strchr(line, '$') != NULL) {
        return err_set(err, ERR_INPUT, "$VARIABLES are not supported; write the value");
    }
    if (table->count == PARTITION_MAX) {
        return err_set(err, ERR_INPUT, "there are more than %d partitions", PARTITION_MAX);
    }
    row_t row;
    if (!parse_row(line, &row, err) || !place_row(&row, end, err)) {
        return false;
    }
    table->entry[table->count++] = row.entry;
    return true;
}

bool partition_table_from_csv(const char *text, size_t len, uint32_t table_offset,
                              partition_table_t *table, err_t *err)
{
    memset(table, 0, sizeof *table);
    table->has_md5 = true;
    uint32_t end = table_offset + TABLE_SECTOR;
    size_t at = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (unsigned number = 1; at < len; number++) {
        char line[LINE_MAX_LEN];
        size_t n = 0;
        while (at + n < len && text[at + n] != '\n' && text[at + n] != '\r') {
            n++;
        }
        if (n >= sizeof line || memchr(text + at, '\0', n) != NULL) {
            return err_set(err, ERR_INPUT, "line %u is too long or not text", number);
        }
        memcpy(line, text + at, n);
        line[n] = '\0';
        if (!add_line(line, table, &end, err)) {
            return err_add(err, "line %u", number);
        }
        at += n;
        at += at + 1 < len && text[at] == '\r' && text[at + 1] == '\n' ? 2 : 1;
    }
    return true;
}

/* ---- printing ---- */

typedef struct {
    char *out;
    size_t cap;
    size_t len; /* wanted so far */
} printer_t;

__attribute__((format(printf, 2, 3))) static void print(printer_t *to, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = to->len < to->cap ? to->cap - to->len : 0;
    int n = vsnprintf(room > 0 ? to->out + to->len : NULL, room, format, args);
    va_end(args);
    to->len += n > 0 ? (size_t)n : 0;
}

static void print_keyword(printer_t *to, const char *name, uint8_t value)
{
    if (name != NULL) {
        print(to, "%s,", name);
    } else {
        print(to, "%u,", value);
    }
}

static void print_size(printer_t *to, uint32_t size)
{
    if (size % 0x100000 == 0) {
        print(to, "%uM,", (unsigned)(size / 0x100000));
    } else if (size % 0x400 == 0) {
        print(to, "%uK,", (unsigned)(size / 0x400));
    } else {
        print(to, "0x%x,", (unsigned)size);
    }
}

size_t partition_table_to_csv(const partition_table_t *table, char *out, size_t cap)
{
    printer_t to = {out, cap, 0};
    print(&to, "# ESP-IDF Partition Table\n# Name, Type, SubType, Offset, Size, Flags\n");
    for (size_t i = 0; i < table->count; i++) {
        const partition_t *e = &table->entry[i];
        bool encrypted = (e->flags & PARTITION_FLAG_ENCRYPTED) != 0;
        bool read_only = (e->flags & PARTITION_FLAG_READONLY) != 0;
        print(&to, "%s,", e->label);
        print_keyword(&to, partition_type_name(e->type), e->type);
        print_keyword(&to, partition_subtype_name(e->type, e->subtype), e->subtype);
        print(&to, "0x%x,", (unsigned)e->offset);
        print_size(&to, e->size);
        print(&to, "%s%s%s\n", encrypted ? "encrypted" : "", encrypted && read_only ? ":" : "",
              read_only ? "readonly" : "");
    }
    return to.len;
}
