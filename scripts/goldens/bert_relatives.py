"""distilbert, electra, mpnet, albert, convbert, squeezebert, mobilebert: variations on BERT with WordPiece or SentencePiece."""

import torch
from heads import OLD_NORMS, family
from tokenizers_on_disk import pieces, wordpiece

A = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=128)
B = dict(A, hidden_size=36, num_attention_heads=3, intermediate_size=64, hidden_act="relu", layer_norm_eps=1e-5)

DISTIL = dict(dim=32, n_layers=2, n_heads=4, hidden_dim=37, max_position_embeddings=128)
family("distilbert", "DistilBert", DISTIL, wordpiece("DistilBertTokenizer"), saving={
    "plain": dict(tokenizer=wordpiece("DistilBertTokenizer", files="fast")),
    "masked_lm": dict(weights="bin"),
    "sequence_classification": dict(generation=4, without=["activation", "sinusoidal_pos_embds"]),
    "question_answering": dict(tokenizer=wordpiece("DistilBertTokenizer", files="fast")),
})
family("distilbert", "DistilBert", dict(DISTIL, n_heads=2, n_layers=3, hidden_dim=64, activation="relu", sinusoidal_pos_embds=True),
       wordpiece("DistilBertTokenizer", lower=False, files="fast"), ["plain", "sequence_classification", "masked_lm"], "_b",
       saving={"sequence_classification": dict(tokenizer=wordpiece("DistilBertTokenizer", lower=False, files="v4")), "masked_lm": dict(weights="sharded")})

family("electra", "Electra", dict(A, embedding_size=16), wordpiece("ElectraTokenizer"), saving={
    "plain": dict(weights="bin"), "masked_lm": dict(tokenizer=wordpiece("ElectraTokenizer", files="v4")), "token_classification": dict(dtype="float16")})
family("electra", "Electra", dict(B, embedding_size=36, summary_activation="tanh", type_vocab_size=3), wordpiece("ElectraTokenizer", files="fast"),
       ["plain", "sequence_classification", "masked_lm"], "_b", generation=4)

MPNET = ["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>"]
family("mpnet", "MPNet", dict(A, max_position_embeddings=130, layer_norm_eps=1e-5), wordpiece("MPNetTokenizer", specials=MPNET), mask="<mask>", saving={
    "plain": dict(tokenizer=wordpiece("MPNetTokenizer", specials=MPNET, files="fast")),
    "token_classification": dict(tokenizer=wordpiece("MPNetTokenizer", specials=MPNET, files="v4")),
    "question_answering": dict(tokenizer=wordpiece("MPNetTokenizer", specials=MPNET, files="fast"))})
family("mpnet", "MPNet", dict(B, max_position_embeddings=90, relative_attention_num_buckets=40), wordpiece("MPNetTokenizer", specials=MPNET, files="fast"),
       ["plain", "sequence_classification", "masked_lm"], "_b", mask="<mask>", saving={"plain": dict(weights="bin"), "masked_lm": dict(weights="sharded")})

family("albert", "Albert", dict(A, embedding_size=16), pieces("AlbertTokenizer"), saving={
    "plain": dict(tokenizer=pieces("AlbertTokenizer", files="fast")), "masked_lm": dict(tokenizer=pieces("AlbertTokenizer", files="v4"), weights="bin", rename=OLD_NORMS),
    "question_answering": dict(tokenizer=pieces("AlbertTokenizer", files="both")),
    "token_classification": dict(tokenizer=pieces("AlbertTokenizer", files="fast", do_lower_case=False, keep_accents=True))})
family("albert", "Albert", dict(B, num_hidden_layers=4, num_hidden_groups=2, inner_group_num=2, embedding_size=24, hidden_act="gelu_new"),
       pieces("AlbertTokenizer", files="both"), ["plain", "sequence_classification", "masked_lm"], "_b", saving={"sequence_classification": dict(dtype="bfloat16")})

family("convbert", "ConvBert", dict(A, embedding_size=16, head_ratio=2, conv_kernel_size=9, num_groups=1), wordpiece("ConvBertTokenizer"), saving={
    "plain": dict(weights="bin"), "masked_lm": dict(tokenizer=wordpiece("ConvBertTokenizer", files="fast"))})
family("convbert", "ConvBert", dict(A, embedding_size=32, head_ratio=4, conv_kernel_size=5, num_groups=2, hidden_act="relu", layer_norm_eps=1e-5, intermediate_size=64),
       wordpiece("ConvBertTokenizer", files="fast"), ["plain", "sequence_classification", "masked_lm"], "_b", saving={"plain": dict(dtype="float16")})

S = dict(A, embedding_size=32, intermediate_size=64)
family("squeezebert", "SqueezeBert", S, wordpiece("SqueezeBertTokenizer"), saving={
    "plain": dict(weights="bin"), "token_classification": dict(tokenizer=wordpiece("SqueezeBertTokenizer", files="v4"))})
family("squeezebert", "SqueezeBert", dict(S, q_groups=1, k_groups=2, v_groups=8, post_attention_groups=2, intermediate_groups=2, output_groups=1, hidden_act="relu",
                                          num_attention_heads=2, type_vocab_size=3),
       wordpiece("SqueezeBertTokenizer", files="fast"), ["plain", "sequence_classification", "masked_lm"], "_b", generation=4)



def calm(model):
    """Without norms the states grow; a quieter head keeps the scores off 0 and 1."""
    with torch.no_grad():
        for name in ("classifier", "qa_outputs"):
            if hasattr(model, name):
                getattr(model, name).weight.mul_(0.1)


M = dict(A, embedding_size=16, intra_bottleneck_size=16, num_feedforward_networks=2, num_attention_heads=4)
family("mobilebert", "MobileBert", M, wordpiece("MobileBertTokenizer"), initialize=calm, saving={
    "plain": dict(tokenizer=wordpiece("MobileBertTokenizer", files="fast")), "masked_lm": dict(weights="bin")})
family("mobilebert", "MobileBert", dict(M, normalization_type="layer_norm", num_feedforward_networks=1, hidden_act="gelu", num_attention_heads=2),
       wordpiece("MobileBertTokenizer"), ["plain", "sequence_classification", "masked_lm"], "_b", saving={"sequence_classification": dict(weights="sharded")})
family("mobilebert", "MobileBert", dict(M, use_bottleneck_attention=True, classifier_activation=False, type_vocab_size=3), wordpiece("MobileBertTokenizer"),
       ["plain", "sequence_classification"], "_c", initialize=calm)
family("mobilebert", "MobileBert", dict(M, use_bottleneck=False, trigram_input=False, embedding_size=32, num_feedforward_networks=1, normalization_type="layer_norm",
                                        classifier_activation=True), wordpiece("MobileBertTokenizer"), ["plain", "token_classification"], "_d", dtype="float16")
