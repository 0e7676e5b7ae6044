/* SPDX-License-Identifier: MIT */
/** The result of `firn probe` as JSON. */
#include "probe.h"
#include "photo.h"

#include <stdlib.h>
#include <string.h>

static void interval(struct firn_json *j, const char *key, const struct firn_proportion *a)
{
    firn_json_array(j, key);
    firn_json_number(j, NULL, a->low);
    firn_json_number(j, NULL, a->high);
    firn_json_end_array(j);
}

static void classes(struct firn_json *j, const struct firn_probe *p)
{
    firn_json_array(j, "classes");
    for (size_t k = 0; k < p->classes; k++) {
        const struct firn_probe_class *c = &p->per_class[k];
        firn_json_object(j, NULL);
        firn_json_string(j, "name", c->name);
        firn_json_int(j, "train", (int64_t)c->train);
        firn_json_int(j, "val", (int64_t)c->val.n);
        firn_json_int(j, "right", (int64_t)c->val.right);
        firn_json_number(j, "accuracy", c->val.value);
        interval(j, "ci95", &c->val);
        firn_json_end_object(j);
    }
    firn_json_end_array(j);
    firn_json_array(j, "confusion"); /* [truth, said, photographs], zeros left out */
    for (size_t i = 0; i < p->cells; i++) {
        firn_json_array(j, NULL);
        firn_json_int(j, NULL, p->cell[i].truth);
        firn_json_int(j, NULL, p->cell[i].said);
        firn_json_int(j, NULL, (int64_t)p->cell[i].n);
        firn_json_end_array(j);
    }
    firn_json_end_array(j);
}

static void validation(struct firn_json *j, const struct firn_probe *p)
{
    firn_json_number(j, "C", p->c);
    firn_json_int(j, "steps", p->steps);
    firn_json_bool(j, "converged", p->converged);
    firn_json_int(j, "folds", p->folds);
    firn_json_int(j, "cv_photographs", (int64_t)p->cv_photographs);
    firn_json_array(j, "cv");
    for (int i = 0; i < p->trials; i++) {
        firn_json_object(j, NULL);
        firn_json_number(j, "C", p->trial[i].c);
        firn_json_number(j, "loss", p->trial[i].loss);
        firn_json_number(j, "accuracy", p->trial[i].accuracy);
        firn_json_end_object(j);
    }
    firn_json_end_array(j);
}

static void curve(struct firn_json *j, const struct firn_probe *p,
                  const struct firn_probe_options *o)
{
    char *sentence = p->epochs ? firn_probe_sentence(p, o) : NULL;
    firn_json_object(j, "sgd");
    firn_json_number(j, "lr", o->rate);
    firn_json_int(j, "batch", o->batch);
    firn_json_int(j, "seed", (int64_t)o->seed);
    firn_json_number(j, "largest_change", p->steadiness.early);
    firn_json_number(j, "largest_change_after_cut", p->steadiness.late);
    firn_json_bool(j, "bounces", p->steadiness.bounces);
    firn_json_string(j, "sentence", sentence);
    firn_json_array(j, "epochs");
    for (int i = 0; i < p->epochs; i++) {
        const struct firn_probe_epoch *e = &p->epoch[i];
        firn_json_object(j, NULL);
        firn_json_number(j, "lr", e->rate);
        firn_json_number(j, "train_loss", e->train_loss);
        firn_json_number(j, "train_accuracy", e->train_accuracy);
        firn_json_number(j, "val_loss", e->val_loss);
        firn_json_number(j, "val_accuracy", e->val_accuracy);
        firn_json_end_object(j);
    }
    firn_json_end_array(j);
    firn_json_end_object(j);
    free(sentence);
}

static void differences(struct firn_json *j, const struct firn_probe *p)
{
    char text[sizeof(p->differences)], *save = NULL;
    memcpy(text, p->differences, sizeof(text));
    firn_json_array(j, "differences");
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        firn_json_string(j, NULL, line);
    firn_json_end_array(j);
}

int firn_probe_print_json(const struct firn_probe *p, const struct firn_probe_options *o)
{
    struct firn_json j = {0};
    firn_json_object(&j, NULL);
    firn_json_number(&j, "val_accuracy", p->accuracy.value);
    interval(&j, "ci95", &p->accuracy);
    firn_json_number(&j, "train_accuracy", p->train_accuracy);
    firn_json_number(&j, "val_loss", p->val_loss);
    firn_json_number(&j, "majority_accuracy", p->majority);
    firn_json_int(&j, "train", (int64_t)p->train);
    firn_json_int(&j, "val", (int64_t)p->val);
    firn_json_int(&j, "right", (int64_t)p->accuracy.right);
    firn_json_int(&j, "dim", p->dim);
    firn_json_bool(&j, "held_out", p->held_out);
    firn_json_int(&j, "shared", (int64_t)p->shared);
    firn_json_int(&j, "not_learnt", (int64_t)p->foreign);
    firn_json_int(&j, "unlabelled", (int64_t)p->unlabelled);
    firn_json_int(&j, "failed", (int64_t)p->failed);
    validation(&j, p);
    classes(&j, p);
    curve(&j, p, o);
    firn_fingerprint_json(&j, "fingerprint", &p->fingerprint);
    differences(&j, p);
    firn_json_object(&j, "seconds");
    firn_json_number(&j, "read", p->read_seconds);
    firn_json_number(&j, "sgd", p->sgd_seconds);
    firn_json_number(&j, "choose", p->choose_seconds);
    firn_json_number(&j, "fit", p->fit_seconds);
    firn_json_end_object(&j);
    firn_json_end_object(&j);
    return firn_cli_print_json(&j);
}
