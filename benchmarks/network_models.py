"""Models of transformers for ``package.module:function``: shapes only, no weights, no download."""

from __future__ import annotations

import torch
from torch import nn


def bert_base() -> nn.Module:
    """BERT-base: 12 layers, 768 wide (Devlin et al., NAACL 2019, arXiv:1810.04805)."""
    from transformers import BertConfig, BertModel

    with torch.device("meta"):
        return BertModel(BertConfig())


def albert_base() -> nn.Module:
    """ALBERT-base: one layer, applied 12 times (Lan et al., ICLR 2020, arXiv:1909.11942)."""
    from transformers import AlbertConfig, AlbertModel

    config = AlbertConfig(
        hidden_size=768, num_attention_heads=12, intermediate_size=3072, num_hidden_layers=12
    )
    with torch.device("meta"):
        return AlbertModel(config)


def gpt2() -> nn.Module:
    """GPT-2, 124 M parameters (Radford et al., 2019), with its decoder."""
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.device("meta"):
        return GPT2LMHeadModel(GPT2Config())


def llama_1b() -> nn.Module:
    """A decoder of 1.24 billion parameters, in the shape of Llama 3.2 1B (arXiv:2407.21783)."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=128256,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=16,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=64,
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        return LlamaForCausalLM(config)
