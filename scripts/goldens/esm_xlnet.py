"""esm: proteins, a letter a token. xlnet: relative positions of its own kind, padding on the left."""

from common import Case
from heads import family
from tokenizers_on_disk import lines, pieces

AMINO = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]
ESM = lines("EsmTokenizer", AMINO, unk_token="<unk>", pad_token="<pad>", mask_token="<mask>", cls_token="<cls>", eos_token="<eos>")
PROTEINS = ["MKTAYIAKQRQISFVKSHFSRQ", "MALWMRLLPLLALLALWGPD", "GS", "MKZ J1 LLX"]
CASES = {
    "plain": {"feature-extraction": [Case(PROTEINS[0]), Case([*PROTEINS[1:], ""])]},
    "sequence_classification": {"text-classification": [Case(PROTEINS[0]), Case(PROTEINS, top_k=None), Case({"text": PROTEINS[0], "text_pair": PROTEINS[2]})]},
    "token_classification": {"token-classification": [Case(PROTEINS[0]), Case(PROTEINS), Case(PROTEINS[3], aggregation_strategy="simple")]},
    "masked_lm": {"fill-mask": [Case("MKT<mask>YIAK"), Case(["M<mask>LW<mask>LP", "<mask>"], top_k=3), Case("MKT<mask>YIAK", targets=["A", "G"])]},
}
A = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=130, position_embedding_type="rotary", token_dropout=True,
         emb_layer_norm_before=False, mask_token_id=AMINO.index("<mask>"), pad_token_id=1, layer_norm_eps=1e-5)
family("esm", "Esm", A, ESM, list(CASES), replace=CASES, saving={"token_classification": dict(dtype="float16"), "masked_lm": dict(generation=4)})
family("esm", "Esm", dict(A, position_embedding_type="absolute", emb_layer_norm_before=True, num_attention_heads=2), ESM, ["plain", "sequence_classification", "masked_lm"], "_b",
       replace=CASES, saving={"plain": dict(weights="bin")})
family("esm", "Esm", dict(A, token_dropout=False, tie_word_embeddings=False), ESM, ["masked_lm"], "_c", replace=CASES)

X = dict(d_model=32, n_layer=2, n_head=4, d_inner=37)
HEADS = ["plain", "sequence_classification", "token_classification"]
family("xlnet", "XLNet", X, pieces("XLNetTokenizer"), HEADS, saving={
    "plain": dict(tokenizer=pieces("XLNetTokenizer", files="fast")), "token_classification": dict(dtype="float16"), "sequence_classification": dict(generation=4)})
family("xlnet", "XLNet", X, pieces("XLNetTokenizer"), ["question_answering"], named={"question_answering": "ForQuestionAnsweringSimple"})
family("xlnet", "XLNet", dict(X, n_head=2, ff_activation="relu", clamp_len=5, summary_type="mean", summary_activation="relu", summary_use_proj=False, layer_norm_eps=1e-5),
       pieces("XLNetTokenizer", files="both"), HEADS, "_b", saving={
           "plain": dict(weights="bin"), "token_classification": dict(tokenizer=pieces("XLNetTokenizer", files="v4"))})
family("xlnet", "XLNet", dict(X, summary_type="first"), pieces("XLNetTokenizer", do_lower_case=True), ["sequence_classification"], "_c")
