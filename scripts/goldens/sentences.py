"""The tasks that the reference's pipelines lack, as sentence-transformers answers them: vectors of texts, similarity, ranking."""

import torch


def open_task(task, folder):
    if task == "text-ranking":
        from sentence_transformers import CrossEncoder

        encoder = CrossEncoder(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
        return lambda inputs, parameters: ranking(encoder, inputs, **parameters)
    encoder = open_encoder(folder)
    return lambda inputs, parameters: similarity(encoder, **inputs, **parameters)


def open_encoder(folder):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})


def similarity(encoder, source_sentence, sentences):
    from sentence_transformers.util import cos_sim

    return cos_sim(encoder.encode(source_sentence), encoder.encode(sentences))[0]


def ranking(encoder, inputs, return_documents=False, top_k=None, raw_scores=False):
    activation = torch.nn.Identity() if raw_scores else None
    rows = encoder.rank(inputs["query"], inputs["texts"], top_k=top_k, return_documents=return_documents, activation_fn=activation)
    return [{"index": row["corpus_id"], **{k: v for k, v in row.items() if k != "corpus_id"}} for row in rows]


def pooled(pipe, folder, inputs, pooling, normalize=False, **parameters):
    """One vector a text: what the checkpoint's own modules say (`model`), or one way of pooling the pipeline's token vectors."""
    if isinstance(inputs, list):
        return [pooled(pipe, folder, text, pooling, normalize, **parameters) for text in inputs]
    if pooling == "none":
        return pipe(inputs, **parameters)
    if pooling == "model":
        if not hasattr(pipe, "encoder"):
            pipe.encoder = open_encoder(folder)
        vector = torch.tensor(pipe.encoder.encode(inputs))
    else:
        vector = POOLINGS[pooling](torch.tensor(pipe(inputs, **parameters)[0]))
    return torch.nn.functional.normalize(vector, dim=-1) if normalize else vector


POOLINGS = {
    "mean": lambda tokens: tokens.mean(0),
    "cls": lambda tokens: tokens[0],
    "first_token": lambda tokens: tokens[0],
    "last_token": lambda tokens: tokens[-1],
    "eos": lambda tokens: tokens[-1],
    "max": lambda tokens: tokens.max(0).values,
}
