"""Recipes of well-known models by name: each is a family with the options of its paper, in sizes for one computer.

`ilk.fit(data, ilk.presets.nsf())`, `ilk fit DATA --family nsf --layers 3`, `dataclasses.replace(nsf(), layers=3)`.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from inspect import getdoc
from typing import Any, TypeVar

from . import registry
from .distribution import Family
from .errors import UsageError, nearest
from .families.autoencoder import Autoencoder
from .families.chow_liu import ChowLiu
from .families.circuit import Circuit
from .families.copula import Copula
from .families.diffusion import Diffusion
from .families.discrete_diffusion import DiscreteDiffusion
from .families.flow import Flow
from .families.flow_matching import FlowMatching
from .families.gan import GAN
from .families.gmm import GMM
from .families.hierarchical_vae import HierarchicalVAE
from .families.hmm import HMM
from .families.latent import Latent
from .families.made import MADE
from .families.mixture import Mixture
from .families.ngram import NGram
from .families.pixelcnn import PixelCNN
from .families.rbm import RBM
from .families.rnn import RNN
from .families.score import ScoreModel
from .families.stylegan import StyleGAN
from .families.transformer import Transformer
from .families.vae import VAE
from .families.vqvae import VQVAE
from .families.wavenet import WaveNet
from .nets.dcgan import DCGAN
from .nets.mlp import MLP
from .nets.resnet import ResNet
from .recipe import listed

P = TypeVar("P", bound=Callable[[], Family])
_PRESETS: dict[str, Callable[[], Family]] = {}


def _preset(make: P) -> P:
    _PRESETS[make.__name__] = make
    return make


def names() -> tuple[str, ...]:
    """The names of all presets.

    >>> "nsf" in names()
    True
    """
    return tuple(sorted(_PRESETS))


def summary(name: str) -> str:
    """The first line of what a preset says of itself.

    >>> summary("glow")
    'Glow (Kingma & Dhariwal 2018): exact densities of pictures, by convolutions at several sizes.'
    """
    return (getdoc(_PRESETS[name]) or "").split("\n")[0]


def named(name: str) -> Family:
    """The recipe of a name: a family's with its default options, or a preset; UsageError with the nearest name if there is neither.

    >>> named("realnvp")
    Flow(structure='coupling', transform='affine', layers=6, width=64, bins=8, bound=4.0, dropout=0.0, noise=None, dequantise='uniform')
    """
    families = registry.names("families")
    if name not in families and name not in _PRESETS:
        raise UsageError(f"no family named {name!r}", remedy=nearest(name, (*families, *_PRESETS)), code="UNKNOWN_FAMILIES", param="families")
    found: Family = registry.get("families", name)() if name in families else _PRESETS[name]()
    return found


def said(recipe: Any) -> str:
    """A recipe as Python, without the options that are the default ones.

    >>> said(lsgan())
    "GAN(loss='least_squares', penalty='none', pack=1)"
    """
    own = [(f.name, value) for f in listed(recipe) if (value := getattr(recipe, f.name)) != f.default]
    return f"{type(recipe).__name__}({', '.join(f'{k}={said(v) if is_dataclass(v) else repr(v)}' for k, v in own)})"


# games of two networks


@_preset
def vanilla_gan() -> GAN:
    """The first GAN (Goodfellow et al. 2014): the game as it was, which may lose modes; to compare others with.

    >>> from ilk.rng import Rng; from ilk.space import Reals
    >>> vanilla_gan().build(Reals((2,)), Rng(0)).sample(3, Rng(1)).tensor.shape
    torch.Size([3, 2])
    """
    return GAN(penalty="none", pack=1)


@_preset
def dcgan() -> GAN:
    """DCGAN (Radford et al. 2016): pictures by strided convolutions; quick to draw, apt to lose modes.

    >>> from ilk.rng import Rng; from ilk.space import Reals
    >>> dcgan().build(Reals((1, 8, 8)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 1, 8, 8])
    """
    return GAN(penalty="none", pack=1, net=DCGAN())


@_preset
def wgan_gp() -> GAN:
    """WGAN-GP (Gulrajani et al. 2017): the Wasserstein distance with a penalty on the critic's slope; steady, five critic steps for one.

    >>> wgan_gp().turns, wgan_gp().strength
    (5, 10.0)
    """
    return GAN(loss="wasserstein", penalty="gradient", strength=10.0, turns=5, pack=1)


@_preset
def lsgan() -> GAN:
    """LSGAN (Mao et al. 2017): least squares, so that items far on the right side still pull.

    >>> lsgan().loss
    'least_squares'
    """
    return GAN(loss="least_squares", penalty="none", pack=1)


@_preset
def dragan() -> GAN:
    """DRAGAN (Kodali et al. 2017): the slope is penalised near the data alone; the cheapest cure of an unsteady game.

    >>> dragan().penalty
    'dragan'
    """
    return GAN(penalty="dragan", strength=10.0, pack=1)


@_preset
def sngan() -> GAN:
    """SN-GAN (Miyato et al. 2018): a critic of spectral norm 1 and the hinge loss.

    >>> sngan().spectral
    True
    """
    return GAN(loss="hinge", penalty="none", spectral=True, pack=1)


@_preset
def pacgan() -> GAN:
    """PacGAN (Lin et al. 2018): the critic sees two items at a time, so that a lost mode shows.

    >>> pacgan().pack
    2
    """
    return GAN(penalty="none", pack=2)


@_preset
def biggan() -> GAN:
    """BigGAN (Brock et al. 2019): pictures of each label by residual networks; `Truncation` trades variety for looks.

    >>> from ilk.rng import Rng; from ilk.space import Discrete, Reals
    >>> biggan().build(Reals((1, 8, 8)), Rng(0), {"label": Discrete(3)}).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 1, 8, 8])
    """
    return GAN(loss="hinge", penalty="none", spectral=True, turns=2, pack=1, net=ResNet())


@_preset
def stylegan() -> StyleGAN:
    """StyleGAN (Karras et al. 2019, 2020): pictures whose styles can be mixed from coarse to fine.

    >>> stylegan() == StyleGAN()
    True
    """
    return StyleGAN()


@_preset
def ctgan_like() -> GAN:
    """After CTGAN (Xu et al. 2019): tables by WGAN-GP with packs of ten; without its normalisation by modes and its conditional vectors.

    >>> from ilk.rng import Rng; from ilk.space import Reals
    >>> ctgan_like().build(Reals((3,)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 3])
    """
    return GAN(loss="wasserstein", penalty="gradient", strength=10.0, pack=10, codes=128, net=MLP(width=256))


# latent variables


@_preset
def beta_vae() -> VAE:
    """Beta-VAE (Higgins et al. 2017): codes that are pressed to say one thing each.

    >>> beta_vae().beta
    4.0
    """
    return VAE(beta=4.0, codes=10)


@_preset
def iwae() -> VAE:
    """IWAE (Burda et al. 2016): trained on the bound of five importance samples, which is tighter.

    >>> iwae().importance
    5
    """
    return VAE(importance=5, codes=50, draws=50)


@_preset
def free_bits_vae() -> VAE:
    """Free bits (Kingma et al. 2016): a VAE whose codes cannot be given up for nothing; the cure of posterior collapse.

    >>> free_bits_vae().free_bits
    0.25
    """
    return VAE(free_bits=0.25, warm_up=0.2)


@_preset
def ladder_vae() -> HierarchicalVAE:
    """Ladder VAE (Sonderby et al. 2016): five levels of codes, inferred on the way down.

    >>> from ilk.rng import Rng; from ilk.space import Discrete
    >>> ladder_vae().build(Discrete(2, (6,)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 6])
    """
    return HierarchicalVAE(levels=5)


@_preset
def two_stage_vae() -> Latent:
    """Two-stage VAE (Dai & Wipf 2019): a second VAE learns which codes of the first there are.

    >>> said(two_stage_vae())
    'Latent(prior=VAE())'
    """
    return Latent(code=VAE(), prior=VAE())


@_preset
def tvae_like() -> VAE:
    """After TVAE (Xu et al. 2019): tables by a VAE of 128 codes; without its normalisation by modes.

    >>> tvae_like().codes
    128
    """
    return VAE(codes=128, net=MLP(width=128, depth=2))


@_preset
def denoising_autoencoder() -> Autoencoder:
    """Denoising autoencoder (Vincent et al. 2008): codes that clean spoilt items; no sampler by itself.

    >>> denoising_autoencoder().noise
    0.3
    """
    return Autoencoder(noise=0.3)


@_preset
def vqvae_pixelcnn() -> Latent:
    """VQ-VAE with its prior (van den Oord et al. 2017): a grid of whole numbers, modelled pixel by pixel.

    >>> from ilk.rng import Rng; from ilk.space import Reals
    >>> vqvae_pixelcnn().build(Reals((1, 8, 8)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 1, 8, 8])
    """
    return Latent(code=VQVAE(), prior=PixelCNN(output="categorical"))


@_preset
def vqgan_like() -> Latent:
    """After VQGAN (Esser et al. 2021): a book of codes and a transformer over them; without the critic and the perceptual loss.

    >>> from ilk.rng import Rng; from ilk.space import Reals
    >>> vqgan_like().build(Reals((1, 8, 8)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 1, 8, 8])
    """
    return Latent(code=VQVAE(book=256, width=16), prior=Transformer(context=256))


@_preset
def dalle_like() -> Latent:
    """After DALL-E (Ramesh et al. 2021): captions before the codes of a picture, read by one transformer; codes of a fixed lattice, not Gumbel ones.

    >>> from ilk.rng import Rng; from ilk.space import Discrete, Reals
    >>> dalle_like().build(Reals((1, 8, 8)), Rng(0), {"label": Discrete(3)}).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 1, 8, 8])
    """
    return Latent(code=VQVAE(book=256, quantiser="fsq"), prior=Transformer(layers=6, heads=4, width=128, context=320))


@_preset
def latent_diffusion() -> Latent:
    """Latent diffusion (Rombach et al. 2022): diffusion of the codes of a VAE that is hardly pressed; the codes are a vector here, not a grid.

    >>> from ilk.rng import Rng; from ilk.space import Reals
    >>> latent_diffusion().build(Reals((1, 8, 8)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 1, 8, 8])
    """
    return Latent(code=VAE(codes=32, beta=0.05), prior=Diffusion())


# diffusion


@_preset
def ddpm() -> Diffusion:
    """DDPM (Ho et al. 2020): the noise is predicted along linear variances; draw with `DDPM` or, in fewer steps, `DDIM` (Song et al. 2021).

    >>> from ilk.rng import Rng; from ilk.space import Reals
    >>> ddpm().build(Reals((2,)), Rng(0)).sample(3, Rng(1)).tensor.shape
    torch.Size([3, 2])
    """
    return Diffusion(path="linear", predict="eps")


@_preset
def improved_ddpm() -> Diffusion:
    """Improved DDPM (Nichol & Dhariwal 2021): noise levels along a cosine; better bounds of likelihood.

    >>> improved_ddpm().path
    'cosine'
    """
    return Diffusion(path="cosine", predict="eps")


@_preset
def edm() -> Diffusion:
    """EDM (Karras et al. 2022): preconditioned denoising of log-normal noise levels; the default of diffusion here.

    >>> edm() == Diffusion()
    True
    """
    return Diffusion(path="edm", predict="v")


@_preset
def classifier_free() -> Diffusion:
    """Classifier-free guidance (Ho & Salimans 2022): labels forgotten one time in ten, and asked for threefold.

    >>> classifier_free().guidance
    3.0
    """
    return Diffusion(guidance=3.0, drop=0.1)


@_preset
def rectified_flow() -> FlowMatching:
    """Rectified flow (Liu et al. 2023; Lipman et al. 2023): straight paths from noise to data; few steps to draw.

    >>> rectified_flow() == FlowMatching()
    True
    """
    return FlowMatching()


@_preset
def optimal_flow() -> FlowMatching:
    """OT flow matching (Tong et al. 2024; Pooladian et al. 2023): noise and items paired by optimal transport, so that paths cross less.

    >>> optimal_flow().pairing
    'optimal'
    """
    return FlowMatching(pairing="optimal")


@_preset
def ncsn() -> ScoreModel:
    """NCSN (Song & Ermon 2019): scores at a ladder of noise levels, followed by annealed Langevin dynamics; the default of score here.

    >>> ncsn() == ScoreModel()
    True
    """
    return ScoreModel()


@_preset
def d3pm() -> DiscreteDiffusion:
    """D3PM (Austin et al. 2021): whole numbers replaced by others of equal chance, step by step, and guessed back.

    >>> d3pm().kind
    'uniform'
    """
    return DiscreteDiffusion(kind="uniform")


@_preset
def masked_diffusion() -> DiscreteDiffusion:
    """Masked diffusion (Sahoo et al. 2024; Shi et al. 2024): whole numbers hidden one after the other, and guessed back in any order.

    >>> masked_diffusion().kind
    'absorbing'
    """
    return DiscreteDiffusion(kind="absorbing")


@_preset
def tabddpm_like() -> Diffusion:
    """After TabDDPM (Kotelnikov et al. 2023): tables by diffusion with a plain network; categories are numbers with noise here, not multinomial.

    >>> said(tabddpm_like())
    "Diffusion(path='cosine', predict='eps', net=MLP())"
    """
    return Diffusion(path="cosine", predict="eps", net=MLP())


# the chain rule


@_preset
def nade_like() -> MADE:
    """After NADE (Larochelle & Murray 2011): one hidden layer and one order of the parts, by masks as in MADE (Germain et al. 2015).

    >>> nade_like().depth
    1
    """
    return MADE(depth=1)


@_preset
def eonade_like() -> MADE:
    """After EoNADE (Uria et al. 2014): the mean of the laws of eight orders, each with a network of its own.

    >>> eonade_like().orders
    8
    """
    return MADE(orders=8)


@_preset
def gated_pixelcnn() -> PixelCNN:
    """Gated PixelCNN (van den Oord et al. 2016): pictures pixel by pixel, a law of every level.

    >>> gated_pixelcnn().output
    'categorical'
    """
    return PixelCNN(output="categorical")


@_preset
def pixelcnn_pp() -> PixelCNN:
    """PixelCNN++ (Salimans et al. 2017): levels by mixtures of ten logistics, cut into cells.

    >>> pixelcnn_pp().output, pixelcnn_pp().parts
    ('logistic', 10)
    """
    return PixelCNN(output="logistic", parts=10)


@_preset
def wavenet() -> WaveNet:
    """WaveNet (van den Oord et al. 2016): sound sample by sample through dilated convolutions.

    >>> wavenet() == WaveNet()
    True
    """
    return WaveNet()


@_preset
def char_lstm() -> RNN:
    """The character LSTM (Graves 2013; Karpathy 2015): two layers over letters; small and quick.

    >>> char_lstm().layers, char_lstm().cell
    (2, 'lstm')
    """
    return RNN(cell="lstm", layers=2, width=256, crop=64)


@_preset
def gpt_nano() -> Transformer:
    """A tiny GPT (Radford et al. 2019): three layers of three heads, embeddings shared with the output; Llama's blocks inside.

    >>> gpt_nano().layers, gpt_nano().heads, gpt_nano().width
    (3, 3, 48)
    """
    return Transformer(layers=3, heads=3, width=48)


@_preset
def gpt_char() -> Transformer:
    """The GPT of characters that is trained on Shakespeare (nanoGPT): six layers of six heads, 256 characters of context. An hour or more on a CPU.

    >>> gpt_char().context
    256
    """
    return Transformer(layers=6, heads=6, width=384, context=256, dropout=0.2)


@_preset
def llama_nano() -> Transformer:
    """A tiny Llama (Touvron et al. 2023): heads share keys (Ainslie et al. 2023), the output has weights of its own.

    >>> llama_nano().heads, llama_nano().kv_heads
    (4, 2)
    """
    return Transformer(layers=4, heads=4, kv_heads=2, width=128, tie=False)


@_preset
def kneser_ney() -> NGram:
    """Modified Kneser-Ney (Chen & Goodman 1998): the counts of seven tokens that other models of text must beat.

    >>> kneser_ney().order
    7
    """
    return NGram(order=7)


# bijections


@_preset
def realnvp() -> Flow:
    """RealNVP (Dinh et al. 2017): half of the numbers shift and scale the other half; scores and draws in one pass.

    >>> from ilk.rng import Rng; from ilk.space import Reals
    >>> realnvp().build(Reals((3,)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 3])
    """
    return Flow(structure="coupling", transform="affine", layers=6)


@_preset
def glow() -> Flow:
    """Glow (Kingma & Dhariwal 2018): exact densities of pictures, by convolutions at several sizes.

    >>> from ilk.rng import Rng; from ilk.space import Reals
    >>> glow().build(Reals((1, 8, 8)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 1, 8, 8])
    """
    return Flow(structure="glow", transform="affine")


@_preset
def maf() -> Flow:
    """MAF (Papamakarios et al. 2017): each number shifted and scaled by those before it; quick scores, slow draws.

    >>> maf().layers
    5
    """
    return Flow(structure="autoregressive", transform="affine", layers=5)


@_preset
def iaf() -> Flow:
    """IAF (Kingma et al. 2016): each number shifted and scaled by the noise of those before it; quick draws, slow scores.

    >>> iaf().structure
    'inverse'
    """
    return Flow(structure="inverse", transform="affine", layers=5)


@_preset
def nsf() -> Flow:
    """Neural spline flow (Durkan et al. 2019), by coupling: splines bend what shifts and scales can't.

    >>> nsf().transform, nsf().bins
    ('spline', 8)
    """
    return Flow(structure="coupling", transform="spline", layers=5)


# energies, hidden causes, margins


@_preset
def bernoulli_rbm() -> RBM:
    """Binary RBM (Smolensky 1986; Tieleman 2008), by persistent chains: bits, with an exact score when it is small.

    >>> from ilk.rng import Rng; from ilk.space import Discrete
    >>> bernoulli_rbm().build(Discrete(2, (6,)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 6])
    """
    return RBM(method="pcd", k=1)


@_preset
def contrastive_rbm() -> RBM:
    """Contrastive divergence (Hinton 2002): one Gibbs step from the data; quick, and biased.

    >>> contrastive_rbm().method
    'cd'
    """
    return RBM(method="cd", k=1)


@_preset
def deep_belief() -> Latent:
    """Deep belief net (Hinton et al. 2006): a machine over the hidden units of another.

    >>> from ilk.rng import Rng; from ilk.space import Discrete
    >>> deep_belief().build(Discrete(2, (6,)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 6])
    """
    return Latent(code=RBM(), prior=RBM())


@_preset
def hidden_chow_liu() -> Circuit:
    """Hidden Chow-Liu tree (Liu & Van den Broeck 2021): a circuit of 16 hidden states a node; every condition is exact.

    >>> hidden_chow_liu().hidden
    16
    """
    return Circuit(hidden=16)


@_preset
def mixture_of_trees() -> Mixture:
    """Mixtures of trees (Meila & Jordan 2000): several Chow-Liu trees, weighted; exact and quick for whole numbers.

    >>> said(mixture_of_trees())
    'Mixture(components=10)'
    """
    return Mixture(each=ChowLiu(), components=10)


@_preset
def gaussian_hmm() -> HMM:
    """Gaussian hidden Markov model (Baum et al. 1970; Rabiner 1989): eight states over a sequence of numbers.

    >>> gaussian_hmm().states
    8
    """
    return HMM(states=8)


@_preset
def latent_profiles() -> GMM:
    """Mixture of independent laws (McLachlan & Peel 2000): a table's classes, in which its numbers are independent.

    >>> latent_profiles().covariance
    'diag'
    """
    return GMM(covariance="diag")


@_preset
def gaussian_copula() -> Copula:
    """Gaussian copula (Sklar 1959; Patki et al. 2016): margins as they are, joined by correlations; a table's first yardstick.

    >>> gaussian_copula() == Copula()
    True
    """
    return Copula()
