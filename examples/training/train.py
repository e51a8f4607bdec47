"""Fits a line, for ever, and takes edits of loss, schedule and log between two steps: `python train.py`."""

import itertools

from trainer import log, loss, schedule
from trainer.data import batch
from trainer.model import Line

import hotmod


def one_step(model, step):
    rate = schedule.rate(step)
    points = batch(step)
    model.move(rate, loss.gradients(model, points))
    return rate, sum(loss.loss(model(x) - y) for x, y in points) / len(points)


def try_out():
    """Take a step with another model, before an edit is kept: a mistake must not end the training."""
    rate, value = one_step(Line(), 1)
    log.line(1, rate, value, Line())


def tell(report):
    print("hotmod:", report, flush=True)


watcher = hotmod.watch("trainer", apply="manual", verify=try_out, on_reload=tell)
model = Line()
for step in itertools.count(1):
    rate, value = one_step(model, step)
    if step % log.EVERY == 0:
        print(log.line(step, rate, value, model), flush=True)
    watcher.apply()  # nothing is half done here
