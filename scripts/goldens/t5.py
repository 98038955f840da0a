"""T5 and its relatives: the heads on texts, and what they write."""

from heads import family
from tokenizers_on_disk import pieces

T5 = dict(d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, decoder_start_token_id=0)
TOKENIZER = pieces("T5Tokenizer", extra_ids=5)

family("t5", "T5", T5, TOKENIZER, heads=["token_classification"])
family("mt5", "MT5", T5, pieces("T5Tokenizer", files="v4", extra_ids=0), heads=["token_classification"])
family("umt5", "UMT5", T5, pieces("T5Tokenizer", files="fast", extra_ids=3), heads=["token_classification"])
