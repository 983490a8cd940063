"""Paper: networks of timm and transformers have the published sizes and multiply-accumulates."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import pytest
import torch
from torch import nn

from archsim.network import LayerGraph, load_network

#: timm model -> parameters and GFLOPS (multiply-adds, convolutions and products) of torchvision's
#: model cards (docs.pytorch.org/vision/stable/models.html), and how far the count may be from them:
#: half of the last digit. Papers: ResNet (arXiv:1512.03385), MobileNetV2 (1801.04381: 3.4 M, 300 M
#: multiply-adds), EfficientNet (1905.11946: 5.3 M, 0.39 B), ConvNeXt (2201.03545: 29 M, 4.5 G), ViT
#: (2010.11929), Swin (2103.14030: 29 M, 4.5 G).
PUBLISHED = {
    "resnet50": (25_557_032, 4.09),
    "mobilenetv2_100": (3_504_872, 0.30),
    "efficientnet_b0": (5_288_548, 0.39),
    "convnext_tiny": (28_589_128, 4.46),
    "vit_base_patch16_224": (86_567_656, 17.56),
    "swin_tiny_patch4_window7_224": (28_288_354, 4.49),
}


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")
@pytest.mark.parametrize("name", PUBLISHED)
def test_timm_networks(name: str) -> None:
    parameters, gmacs = PUBLISHED[name]
    graph = load_network(f"timm:{name}")
    assert graph.totals.parameters == parameters
    assert graph.coverage.macs == pytest.approx(gmacs * 1e9, abs=0.0051e9)
    assert graph.coverage.share == 1
    assert graph.unmapped == ()


def _transformers(make: Callable[[], nn.Module]) -> LayerGraph:
    with torch.device("meta"):
        model = make()
    return load_network(model, input_shape=(128,), input_dtype="int64", name="encoder")


@pytest.mark.slow
def test_bert_base_is_the_published_size() -> None:
    # Devlin et al. (arXiv:1810.04805): 110 M parameters. Sun et al., MobileBERT (arXiv:2004.02984,
    # table 4): BERT-base, 128 tokens, 109 M parameters, 22.5 B FLOPs, two per multiply-accumulate;
    # theirs count some of the digital work, too.
    transformers = pytest.importorskip("transformers")
    graph = _transformers(lambda: transformers.BertModel(transformers.BertConfig()))
    assert graph.totals.parameters == 109_482_240
    assert 2 * graph.coverage.macs == pytest.approx(22.5e9, rel=0.01)
    layers, width, tokens, wide = 12, 768, 128, 3072
    mapped = layers * tokens * (4 * width**2 + 2 * width * wide) + width**2
    assert graph.coverage.mapped == mapped
    assert graph.coverage.digital == layers * 2 * tokens**2 * width


@pytest.mark.slow
def test_albert_shares_one_layer() -> None:
    # Lan et al. (arXiv:1909.11942), table 2: ALBERT-base, 12 M parameters; 12 layers that are one.
    transformers = pytest.importorskip("transformers")
    config = transformers.AlbertConfig(
        hidden_size=768, num_attention_heads=12, intermediate_size=3072, num_hidden_layers=12
    )
    graph = _transformers(lambda: transformers.AlbertModel(config))
    assert graph.totals.parameters == pytest.approx(12e6, rel=0.03)
    assert {layer.uses for layer in graph.layers} == {1, 12}
    shared = sum(layer.weights for layer in graph.layers if layer.uses == 12)
    assert shared == 4 * 768**2 + 2 * 768 * 3072
    assert graph.coverage.mapped == 12 * 128 * shared + 128 * 128 * 768 + 768**2


@pytest.mark.slow
def test_a_decoder_of_a_billion_parameters_by_shapes_only() -> None:
    # Llama 3.2 1B, model card of Meta: 1.23 B parameters; input and output embedding are one.
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=128256,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=16,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=64,
        tie_word_embeddings=True,
    )
    graph = _transformers(lambda: transformers.LlamaForCausalLM(config))
    assert graph.totals.parameters == pytest.approx(1.23e9, rel=0.01)
    assert len(graph.layers) == 16 * 7 + 1
    assert len(graph.tied) == 1  # the output is stored in cells, the input in memory
