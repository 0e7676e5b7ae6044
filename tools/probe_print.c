/* SPDX-License-Identifier: MIT */
/** The result of `firn probe` as text. */
#include "probe.h"
#include "photo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MATRIX 12    /* classes: up to here the whole confusion matrix fits a terminal */
#define LISTED 10    /* of longer lists, without -v */
#define NAME_WIDTH 24
#define BAR 30

/** `text` in a column. */
static void column(const char *text, int width)
{
    int used = firn_cli_put(stdout, text);
    printf("%*s", used < width ? width - used : 0, "");
}

static int name_width(const struct firn_probe *p)
{
    size_t widest = 5;
    for (size_t k = 0; k < p->classes; k++) {
        size_t n = strlen(p->per_class[k].name);
        widest = n > widest && n <= NAME_WIDTH ? n : widest;
    }
    return (int)widest;
}

static void print_facts(const struct firn_probe *p, const struct firn_probe_options *o)
{
    const struct firn_proportion *a = &p->accuracy;
    printf("train      %zu photographs, %d numbers each\n", p->train, p->dim); /* 2 at least */
    if (p->held_out)
        printf("val        %zu photograph%s of the same cache, held out by content hash (%d%%)\n",
               p->val, firn_cli_s(p->val), o->holdout);
    else
        printf("val        %zu photograph%s\n", p->val, firn_cli_s(p->val));
    printf("head       logistic regression, C = %.3g", p->c);
    if (p->trials)
        printf(" by %d-fold cross-validation on %zu", p->folds, p->cv_photographs);
    printf("; %d steps%s\n", p->steps, p->converged ? "" : ", not converged");
    for (int i = 0; i < p->trials && firn_cli_verbose; i++)
        printf("           C = %-8.3g held-out loss %.4f, accuracy %.4f\n", p->trial[i].c,
               p->trial[i].loss, p->trial[i].accuracy);
    printf("%saccuracy   %.3f%s on val (%zu of %zu), 95%% interval %.3f to %.3f\n",
           firn_cli_colour(stdout, FIRN_BOLD), a->value, firn_cli_colour(stdout, FIRN_PLAIN),
           a->right, a->n, a->low, a->high);
    printf("           %.3f on train; %.3f by always saying the commonest class\n",
           p->train_accuracy, p->majority);
}

/* ---- classes ---- */

static int compare_accuracy(const void *a, const void *b)
{
    const struct firn_probe_class *x = *(const struct firn_probe_class *const *)a;
    const struct firn_probe_class *y = *(const struct firn_probe_class *const *)b;
    if (x->val.value < y->val.value || x->val.value > y->val.value)
        return x->val.value < y->val.value ? -1 : 1;
    return (x > y) - (x < y);
}

static void print_class(const struct firn_probe_class *c, int width)
{
    column(c->name, width);
    printf("  %8zu  %8zu  ", c->train, c->val.n);
    if (c->val.n)
        printf("%8.3f  %.3f to %.3f", c->val.value, c->val.low, c->val.high);
    else
        printf("%8s", "-");
    printf("%s\n", c->train ? "" : "  not learnt");
}

static void print_classes(const struct firn_probe *p, int width)
{
    const struct firn_probe_class **order = calloc(p->classes, sizeof(*order));
    bool all = p->classes <= MATRIX || firn_cli_verbose;
    size_t n = 0;
    for (size_t k = 0; k < p->classes && order; k++) {
        if (all || p->per_class[k].val.n)
            order[n++] = &p->per_class[k];
    }
    if (order && !all) {
        qsort(order, n, sizeof(*order), compare_accuracy);
        n = n < LISTED ? n : LISTED;
        printf("\nThe %zu classes of lowest accuracy of %zu (-v: all):\n", n, p->classes);
    } else {
        putchar('\n');
    }
    column("class", width);
    printf("     train       val  accuracy  95%% interval\n");
    for (size_t i = 0; i < n; i++)
        print_class(order[i], width);
    free(order);
}

static size_t cell_at(const struct firn_probe *p, size_t truth, size_t said)
{
    for (size_t i = 0; i < p->cells; i++) {
        if (p->cell[i].truth == (int)truth && p->cell[i].said == (int)said)
            return p->cell[i].n;
    }
    return 0;
}

static void print_matrix(const struct firn_probe *p, int width)
{
    printf("\nRows: what it is; columns: what the head says (by number).\n");
    column("", width + 4);
    for (size_t said = 0; said < p->head_classes; said++)
        printf("  %6zu", said);
    putchar('\n');
    for (size_t truth = 0; truth < p->classes; truth++) {
        printf("%2zu  ", truth);
        column(p->per_class[truth].name, width);
        for (size_t said = 0; said < p->head_classes; said++) {
            size_t n = cell_at(p, truth, said);
            const char *colour = n == 0 ? firn_cli_colour(stdout, FIRN_DIM)
                                 : said == truth ? firn_cli_colour(stdout, FIRN_GREEN) : "";
            printf("  %s%6zu%s", colour, n, *colour ? firn_cli_colour(stdout, FIRN_PLAIN) : "");
        }
        putchar('\n');
    }
}

static int compare_mistakes(const void *a, const void *b)
{
    const struct firn_probe_cell *x = a, *y = b;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    if (x->truth != y->truth)
        return x->truth < y->truth ? -1 : 1;
    return x->said - y->said;
}

static void print_mistakes(const struct firn_probe *p, int width)
{
    struct firn_probe_cell *wrong = calloc(p->cells + 1, sizeof(*wrong));
    size_t n = 0;
    for (size_t i = 0; i < p->cells && wrong; i++) {
        if (p->cell[i].truth != p->cell[i].said)
            wrong[n++] = p->cell[i];
    }
    if (n) {
        qsort(wrong, n, sizeof(*wrong), compare_mistakes);
        printf("\nThe commonest mistakes of %zu kinds%s:\n", n,
               firn_cli_verbose || n <= LISTED ? "" : " (-v: all)");
    }
    for (size_t i = 0; i < n && (i < LISTED || firn_cli_verbose); i++) {
        printf("%6zu  ", wrong[i].n);
        column(p->per_class[wrong[i].truth].name, width);
        printf("  taken for ");
        firn_cli_put(stdout, p->per_class[wrong[i].said].name);
        putchar('\n');
    }
    free(wrong);
}

/* ---- the SGD head ---- */

char *firn_probe_sentence(const struct firn_probe *p, const struct firn_probe_options *o)
{
    const struct firn_probe_steadiness *s = &p->steadiness;
    char *text = NULL, moves[128] = "it has too few epochs to tell";
    if (!isnan(s->early) && !isnan(s->late))
        snprintf(moves, sizeof(moves), "from the second epoch on it moves by up to %.3f from one "
                 "to the next, and %.3f after the first cut of the rate", s->early, s->late);
    else if (!isnan(s->early) || !isnan(s->late))
        snprintf(moves, sizeof(moves), "from the second epoch on it moves by up to %.3f from one "
                 "to the next", isnan(s->early) ? s->late : s->early);
    double last = p->epoch[p->epochs - 1].val_accuracy;
    const char *verdict =
        isnan(s->early) && isnan(s->late) ? ""
        : s->bounces ? ". It bounces, and the features are the same in every epoch: the head's "
                       "training does it (lower --lr, or raise --batch)"
                     : ". It is steady: where training on such photographs bounces, it is the "
                       "features that change between epochs (BatchNorm in training mode, "
                       "augmentation)";
    (void)o;
    if (asprintf(&text, "The SGD head ends at %.3f, the converged one has %.3f; %s%s.", last,
                 p->accuracy.value, moves, verdict) < 0)
        return NULL;
    return text;
}

/** A mark between 0 and 1, where the range that matters fills the bar. */
static void print_bar(double value, double low, double high)
{
    int at = high > low ? (int)lround((value - low) / (high - low) * (BAR - 1)) : BAR - 1;
    printf("  |%*s*%*s|\n", at, "", BAR - 1 - at, "");
}

static void print_curve(const struct firn_probe *p, const struct firn_probe_options *o)
{
    double low = 1, high = 0;
    for (int i = 0; i < p->epochs; i++) {
        low = fmin(low, p->epoch[i].val_accuracy);
        high = fmax(high, p->epoch[i].val_accuracy);
    }
    printf("\nAn SGD head as PyTorch's tutorial trains it: learning rate %g, a tenth after every "
           "7\nepochs, momentum 0.9, batch %d.\n"
           "epoch  train loss  accuracy    val loss  accuracy  from %.3f to %.3f\n",
           o->rate, o->batch, low, high);
    for (int i = 0; i < p->epochs; i++) {
        const struct firn_probe_epoch *e = &p->epoch[i];
        printf("%5d  %10.4f  %8.3f  %10.4f  %8.3f", i + 1, e->train_loss, e->train_accuracy,
               e->val_loss, e->val_accuracy);
        print_bar(e->val_accuracy, low, high);
    }
    char *sentence = firn_probe_sentence(p, o);
    printf("%s\n", sentence ? sentence : "");
    free(sentence);
}

void firn_probe_print(const struct firn_probe *p, const struct firn_probe_options *o)
{
    int width = name_width(p);
    print_facts(p, o);
    if (firn_cli_quiet)
        return;
    print_classes(p, width);
    if (p->classes <= MATRIX)
        print_matrix(p, width);
    else
        print_mistakes(p, width);
    if (p->epochs)
        print_curve(p, o);
}
