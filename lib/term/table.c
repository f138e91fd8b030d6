/* SPDX-License-Identifier: Apache-2.0 */
#include "term/term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 24

struct term_table {
    int columns;
    bool right[COLUMNS_MAX];
    char **cells; /* row after row; the first row is the header */
    size_t count;
    size_t cap;
    bool broken; /* out of memory: the table prints what it has */
};

static char *copy_cell(const char *text, size_t len)
{
    char *cell = malloc(len + 1);
    if (cell == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        cell[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
    }
    cell[len] = '\0';
    return cell;
}

static void add_cell(term_table_t *table, const char *text, size_t len)
{
    if (table->broken) {
        return;
    }
    if (table->count == table->cap) {
        size_t cap = table->cap == 0 ? 64 : table->cap * 2;
        char **cells = realloc(table->cells, cap * sizeof *cells);
        if (cells == NULL) {
            table->broken = true;
            return;
        }
        table->cells = cells;
        table->cap = cap;
    }
    char *cell = copy_cell(text, len);
    if (cell == NULL) {
        table->broken = true;
        return;
    }
    table->cells[table->count++] = cell;
}

term_table_t *term_table_new(const char *columns)
{
    term_table_t *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    while (table->columns < COLUMNS_MAX) {
        size_t len = strcspn(columns, "|");
        bool right = *columns == '>';
        table->right[table->columns++] = right;
        add_cell(table, columns + right, len - right);
        if (columns[len] == '\0') {
            break;
        }
        columns += len + 1;
    }
    return table;
}

void term_table_row(term_table_t *table, const char *first, ...)
{
    if (table == NULL) {
        return;
    }
    va_list args;
    va_start(args, first);
    const char *cell = first;
    for (int i = 0; i < table->columns; i++) {
        add_cell(table, cell != NULL ? cell : "", cell != NULL ? strlen(cell) : 0);
        if (i + 1 < table->columns) {
            cell = va_arg(args, const char *);
        }
    }
    va_end(args);
}

static int width_of(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80; /* continuation bytes have no width */
    }
    return width;
}

static void print_row(const term_table_t *table, char *const *row, const int *widths,
                      term_style_t style, FILE *out)
{
    for (int c = 0; c < table->columns; c++) {
        int pad = widths[c] - width_of(row[c]);
        bool last = c + 1 == table->columns;
        if (table->right[c]) {
            fprintf(out, "%*s", pad, "");
        }
        term_print(out, style, "%s", row[c]);
        if (!last) {
            fprintf(out, "%*s", (table->right[c] ? 0 : pad) + 2, "");
        }
    }
    fputc('\n', out);
}

void term_table_print(const term_table_t *table, FILE *out)
{
    if (table == NULL || table->columns == 0) {
        return;
    }
    int widths[COLUMNS_MAX] = {0};
    size_t rows = table->count / (size_t)table->columns;
    for (size_t i = 0; i < rows * (size_t)table->columns; i++) {
        int width = width_of(table->cells[i]);
        int *widest = &widths[i % (size_t)table->columns];
        *widest = width > *widest ? width : *widest;
    }
    for (size_t r = 0; r < rows; r++) {
        print_row(table, table->cells + r * (size_t)table->columns, widths,
                  r == 0 ? TERM_BOLD : TERM_PLAIN, out);
    }
}

void term_table_free(term_table_t *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    free(table);
}
