"""Folders of diffusers, small enough for a test."""

import json
from pathlib import Path
from typing import Any

import torch


def unet_folder(
    folder: Path, *, prediction: str = "epsilon", channels: int = 3, classes: int | None = None, side: int = 16
) -> Path:
    """A pipeline with a tiny UNet2DModel of random weights, as diffusers itself saves it."""
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    torch.manual_seed(0)
    network = UNet2DModel(
        sample_size=side, in_channels=channels, out_channels=channels, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4, attention_head_dim=8, num_class_embeds=classes,
    )  # fmt: skip
    scheduler = DDPMScheduler(prediction_type=prediction)
    DDPMPipeline(unet=network, scheduler=scheduler).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Toys\n")
    return folder


def network_of(folder: Path) -> Any:  # noqa: ANN401 - diffusers' own
    from diffusers import UNet2DModel

    return UNet2DModel.from_pretrained(folder / "unet", local_files_only=True)


def text_folder(folder: Path, *, side: int = 32) -> Path:
    """A Stable Diffusion pipeline of random weights that draws pictures of 32 x 32, as diffusers itself saves it."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    letters = [chr(k) for k in range(33, 127)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({word: k for k, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16, pad_token="<|endoftext|>"
    )
    text = CLIPTextConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=16, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    network = UNet2DConditionModel(
        sample_size=side // 2, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4, attention_head_dim=4, cross_attention_dim=16,
    )  # fmt: skip
    coder = AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, sample_size=side,
        up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, norm_num_groups=4,
    )  # fmt: skip
    StableDiffusionPipeline(
        vae=coder, text_encoder=CLIPTextModel(text), tokenizer=tokenizer, unet=network,
        scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink()
    (folder / "README.md").write_text("---\nlicense: openrail\n---\n")
    return folder
