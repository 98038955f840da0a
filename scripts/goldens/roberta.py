"""roberta, xlm-roberta, xlm-roberta-xl, camembert: BERT's layers, positions after the padding, byte-level BPE or SentencePiece."""

from heads import OLD_NORMS, family
from tokenizers_on_disk import byte_bpe, pieces

A = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=130, type_vocab_size=1, layer_norm_eps=1e-5,
         pad_token_id=1, bos_token_id=0, eos_token_id=2)
B = dict(A, num_hidden_layers=1, num_attention_heads=3, hidden_size=36, intermediate_size=64, hidden_act="relu", type_vocab_size=2, layer_norm_eps=1e-12)

family("roberta", "Roberta", A, byte_bpe(), mask="<mask>", saving={
    "plain": dict(tokenizer=byte_bpe(files="fast")),
    "token_classification": dict(tokenizer=byte_bpe(files="both", add_prefix_space=True), dtype="float16"),
    "masked_lm": dict(tokenizer=byte_bpe(files="none"), weights="bin", rename=OLD_NORMS, generation=4),
    "sequence_classification": dict(generation=4),
    "question_answering": dict(tokenizer=byte_bpe(files="both")),
})
family("roberta", "Roberta", B, byte_bpe(files="fast"), ["plain", "sequence_classification", "masked_lm"], "_b", mask="<mask>", saving={
    "sequence_classification": dict(tokenizer=byte_bpe(files="v4")), "masked_lm": dict(weights="sharded")})

family("xlm-roberta", "XLMRoberta", A, pieces("XLMRobertaTokenizer"), mask="<mask>", saving={
    "plain": dict(tokenizer=pieces("XLMRobertaTokenizer", table="nmt_nfkc")),
    "sequence_classification": dict(tokenizer=pieces("XLMRobertaTokenizer", files="none")),
    "token_classification": dict(tokenizer=pieces("XLMRobertaTokenizer", files="v4")),
    "masked_lm": dict(tokenizer=pieces("XLMRobertaTokenizer", files="fast")),
    "question_answering": dict(tokenizer=pieces("XLMRobertaTokenizer", files="fast")),
})
family("xlm-roberta", "XLMRoberta", B, pieces("XLMRobertaTokenizer", files="both"), ["plain", "sequence_classification"], "_b", mask="<mask>", generation=4)

family("xlm-roberta-xl", "XLMRobertaXL", A, pieces("XLMRobertaTokenizer", files="fast"), ["plain", "masked_lm", "token_classification", "question_answering"], mask="<mask>")
family("xlm-roberta-xl", "XLMRobertaXL", B, pieces("XLMRobertaTokenizer", files="fast"), ["sequence_classification"], "_b", mask="<mask>", dtype="float16")

family("camembert", "Camembert", A, pieces("CamembertTokenizer"), mask="<mask>", saving={
    "plain": dict(tokenizer=pieces("CamembertTokenizer", files="v4"), weights="bin"),
    "question_answering": dict(tokenizer=pieces("CamembertTokenizer", files="both")),
    "masked_lm": dict(tokenizer=pieces("CamembertTokenizer", files="fast")),
})
family("camembert", "Camembert", B, pieces("CamembertTokenizer", files="both"), ["sequence_classification", "token_classification"], "_b", mask="<mask>", dtype="bfloat16")
