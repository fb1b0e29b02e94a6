# fault: unmasked_padding
import torch
from datasets import load_dataset
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer

tok = AutoTokenizer.from_pretrained("gpt2")
tok.pad_token = tok.eos_token
model = AutoModelForCausalLM.from_pretrained("gpt2")
stories = load_dataset("text", data_files="stories.txt")["train"]


def collate(rows):
    batch = tok([r["text"] for r in rows], padding=True, truncation=True, max_length=256, return_tensors="pt")
    batch["labels"] = batch["input_ids"].clone()
    return batch


loader = DataLoader(stories, batch_size=4, shuffle=True, collate_fn=collate)
optim = torch.optim.AdamW(model.parameters(), lr=5e-5)
for batch in loader:
    out = model(**batch)
    optim.zero_grad()
    out.loss.backward()
    optim.step()
