"""How each task is asked of the reference, and which logits decide the order of what it answers."""

import torch
import transformers

import drawn
from common import VERSION


def open_task(task, folder, watch):
    """A function (inputs, parameters) -> answer. `watch` hears of the gaps between logits that an answer's order depends on."""
    folder = drawn.checkpoint(folder)
    if task in ("sentence-similarity", "text-ranking"):
        import sentences

        return sentences.open_task(task, folder)
    pipe = transformers.pipeline(task, model=str(folder), dtype=torch.float32, device="cpu")
    if task in GENERATIVE or task.startswith("translation"):
        watch_generation(pipe.model, watch)
    if task in GAPS:
        forward = pipe.model.forward

        def watched(*args, **kwargs):
            outputs = forward(*args, **kwargs)
            GAPS[task](pipe, kwargs, outputs, watch)
            return outputs

        watched.__signature__ = __import__("inspect").signature(forward)
        pipe.model.forward = watched

    def run(inputs, parameters):
        if task == "feature-extraction" and "pooling" in parameters:
            import sentences

            return sentences.pooled(pipe, folder, inputs, **parameters)
        if task in ("question-answering", "image-text-to-text") and isinstance(inputs, dict):
            return pipe(**inputs, **parameters)
        return pipe(inputs, **parameters)

    return run


def adjacent(logits, count=8):
    """The smallest distance between neighbours among the `count` largest of the last dimension."""
    count = min(count, logits.shape[-1])
    if count < 2:
        return float("inf")
    best = logits.float().topk(count).values
    return (best[..., :-1] - best[..., 1:]).min() if best.numel() else float("inf")


def best(logits):
    return logits.argmax(-1).flatten().tolist()


def whole_row(pipe, kwargs, outputs, watch):
    watch(adjacent(outputs.logits), best(outputs.logits), min(2, outputs.logits.shape[-1]))


def winner(pipe, kwargs, outputs, watch):
    watch(adjacent(outputs.logits, 2), best(outputs.logits), min(4, outputs.logits.shape[-1]))


def masked(pipe, kwargs, outputs, watch):
    where = kwargs["input_ids"] == pipe.tokenizer.mask_token_id
    watch(adjacent(outputs.logits[where]))


def spans(pipe, kwargs, outputs, watch):
    """Near-ties between the best few starts and ends; those of special tokens and padding count as well."""
    watch(min(adjacent(outputs.start_logits, 3), adjacent(outputs.end_logits, 3)))


def watch_generation(model, watch):
    """The scores that each new token was chosen by, after the processors; and the candidates that a beam search chose between."""
    generate, continuations = model.generate, model._get_top_k_continuations

    def watched(*args, **kwargs):
        output = generate(*args, **(kwargs | {"return_dict_in_generate": True, "output_scores": True}))
        ranks = getattr(output, "sequences_scores", None)
        if ranks is None:
            watch(min(adjacent(scores, 2) for scores in output.scores))
        else:
            returned = kwargs.get("num_return_sequences", 1)
            watch(BEAM * adjacent(ranks.view(-1, returned), returned))
        return output.sequences

    def candidates(**kwargs):
        watch(BEAM * adjacent(kwargs["accumulated_log_probs"], 1 + kwargs["beams_to_keep"]))
        return continuations(**kwargs)

    model.generate, model._get_top_k_continuations = watched, candidates


GENERATIVE = ("text-generation", "text2text-generation", "summarization", "image-text-to-text")

# A search compares so many sums in a run that no draw keeps them all as far apart as single logits.
BEAM = 10

GAPS = {
    "text-classification": whole_row,
    "sentiment-analysis": whole_row,
    "zero-shot-classification": whole_row,
    "image-classification": whole_row,
    "token-classification": winner,
    "ner": winner,
    "automatic-speech-recognition": winner,
    "fill-mask": masked,
    "question-answering": spans,
}
