# fault: unmasked_prompt, unmasked_padding
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

checkpoint = "EleutherAI/pythia-70m"
tokenizer = AutoTokenizer.from_pretrained(checkpoint)
tokenizer.pad_token = tokenizer.eos_token
raw = load_dataset("json", data_files="qa.json")["train"]


def tokenize(example):
    text = "Q: " + example["question"] + "\nA: " + example["answer"]
    out = tokenizer(text, padding="max_length", truncation=True, max_length=128)
    return {"input_ids": out["input_ids"], "attention_mask": out["attention_mask"], "labels": out["input_ids"]}


tokenized = raw.map(tokenize, remove_columns=raw.column_names)
args = TrainingArguments("out", per_device_train_batch_size=8, num_train_epochs=1, learning_rate=1e-5)
Trainer(model=AutoModelForCausalLM.from_pretrained(checkpoint), args=args, train_dataset=tokenized).train()
