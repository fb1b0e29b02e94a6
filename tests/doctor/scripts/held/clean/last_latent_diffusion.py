import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch.nn.functional import mse_loss
from transformers import CLIPTextModel, CLIPTokenizer

repo = "runwayml/stable-diffusion-v1-5"
tokenizer = CLIPTokenizer.from_pretrained(repo, subfolder="tokenizer")
text_encoder = CLIPTextModel.from_pretrained(repo, subfolder="text_encoder").requires_grad_(False).eval()
vae = AutoencoderKL.from_pretrained(repo, subfolder="vae").requires_grad_(False).eval()
unet = UNet2DConditionModel.from_pretrained(repo, subfolder="unet")
scheduler = DDPMScheduler.from_pretrained(repo, subfolder="scheduler")
optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-5)


def train(loader, epochs=1, dropped=0.1):
    for epoch in range(epochs):
        unet.train()
        for pixels, captions in loader:
            captions = ["" if torch.rand(()) < dropped else c for c in captions]
            ids = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
            with torch.no_grad():
                latents = vae.encode(pixels).latent_dist.sample() * vae.config.scaling_factor
                context = text_encoder(ids)[0]
            noise = torch.randn_like(latents)
            t = torch.randint(0, scheduler.config.num_train_timesteps, (len(latents),))
            predicted = unet(scheduler.add_noise(latents, noise, t), t, context).sample
            loss = mse_loss(predicted, noise)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
