"""Keys and tokens that can be told by their form: a prefix, an alphabet, a length.

Written from the providers' own descriptions of their formats. A line is a name and a regular
expression; the names are for the reader and for tests only. Every expression begins with literal
characters or a short class, needs no more than one pass, and is bounded.
"""

import re

_TOKENS: tuple[tuple[str, str], ...] = (
    # language models
    ("Anthropic", r"sk-ant-[a-z0-9]{3,12}-[\w-]{20,200}"),
    ("OpenRouter", r"sk-or-(?:v\d-)?[0-9a-f]{32,128}"),
    ("OpenAI project", r"sk-(?:proj|svcacct|admin|None)-[\w-]{20,250}"),
    ("OpenAI and alike", r"sk-[A-Za-z0-9]{20,64}"),
    ("Langfuse", r"[sp]k-lf-[0-9a-f-]{32,40}"),
    ("Hugging Face", r"(?:hf|api_org)_[A-Za-z0-9]{30,40}"),
    ("Groq", r"gsk_[A-Za-z0-9]{40,64}"),
    ("xAI", r"xai-[A-Za-z0-9]{60,100}"),
    ("Perplexity", r"pplx-[A-Za-z0-9]{40,64}"),
    ("Replicate", r"r8_[A-Za-z0-9]{36,44}"),
    ("Fireworks", r"fw_[A-Za-z0-9]{20,32}"),
    ("NVIDIA", r"nvapi-[\w-]{56,80}"),
    ("RunPod", r"rpa_[A-Za-z0-9]{36,50}"),
    ("Tavily", r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{28,40}"),
    ("LangSmith", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    ("Weights & Biases", r"wandb_v\d_[\w-]{40,120}"),
    ("Pinecone", r"pcsk_[A-Za-z0-9]{4,8}_[A-Za-z0-9]{50,70}"),
    # code hosting and packages
    ("GitHub", r"gh[oprsu]_[A-Za-z0-9]{36,255}"),
    ("GitHub fine-grained", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    ("GitLab", r"(?:glpat|gldt|glrt|glcbt|glptt|glft|glsoat|glimt|glagent|gloas)-[\w.-]{20,100}"),
    ("Bitbucket and Atlassian", r"AT(?:ATT3x|BB|CTT3x)[\w=-]{20,250}"),
    ("npm", r"npm_[A-Za-z0-9]{36}"),
    ("PyPI", r"pypi-AgE[\w-]{50,500}"),
    ("RubyGems", r"rubygems_[0-9a-f]{48}"),
    ("crates.io", r"cio[A-Za-z0-9]{32}"),
    ("NuGet", r"oy2[a-z0-9]{43}"),
    ("Docker", r"dckr_(?:pat|oat)_[\w-]{24,40}"),
    ("JFrog", r"(?:AKCp[A-Za-z0-9]{69}|cmVmd[A-Za-z0-9]{59})"),
    # clouds
    ("AWS key id", r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}"),
    ("AWS Bedrock", r"ABSK[A-Za-z0-9+/]{100,140}={0,2}"),
    ("Google API", r"AIza[\w-]{35}"),
    ("Google API, newer", r"AQ\.Ab[\w-]{40,80}"),
    ("Google OAuth secret", r"GOCSPX-[\w-]{28}"),
    ("Google OAuth token", r"ya29\.[\w-]{20,1000}"),
    ("Google refresh token", r"1//0[\w-]{40,200}"),
    ("Azure AD secret", r"[\w.~]{3}\dQ~[\w.~-]{31,34}"),
    ("Azure storage or bus key", r"[A-Za-z0-9+/]{86}=="),
    ("DigitalOcean", r"do[opr]_v1_[0-9a-f]{64}"),
    ("Heroku", r"HRKU-[\w-]{36,80}"),
    ("Databricks", r"dapi[0-9a-f]{32}(?:-\d)?"),
    ("HashiCorp Vault", r"hv[sbr]\.[\w-]{24,300}"),
    ("Terraform Cloud", r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,80}"),
    ("Pulumi", r"pul-[0-9a-f]{40}"),
    ("Doppler", r"dp\.(?:pt|st|ct|scim|audit|sa)\.[\w.-]{40,80}"),
    ("Alibaba", r"LTAI[A-Za-z0-9]{12,24}"),
    ("Tencent", r"AKID[A-Za-z0-9]{32}"),
    ("Netlify", r"nf[pcoubi]_[A-Za-z0-9]{36,40}"),
    ("Fly.io", r"fm[12][ar]?_[\w+/=-]{60,1000}"),
    ("Supabase", r"sb(?:p|_secret|_publishable)_[\w]{20,64}"),
    ("PlanetScale", r"pscale_(?:tkn|oauth|pw)_[\w.=-]{32,64}"),
    ("Cloudflare", r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}"),
    ("Grafana", r"gl(?:c|sa)_[\w+/=]{32,400}"),
    ("Sentry", r"sntr(?:ys|yu)_[\w+/=-]{40,400}"),
    ("New Relic", r"NR(?:AK|II|JS|AL|RA)-[A-Za-z0-9_-]{19,50}"),
    ("Dynatrace", r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    # messengers
    ("Slack", r"xox[abceoprs](?:\.xox[bp])?-(?:\d-)?[\w-]{10,300}"),
    ("Slack app", r"xapp-\d-[A-Z0-9]+-\d+-[A-Za-z0-9]{32,100}"),
    ("Slack webhook", r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/]{20,120}"),
    ("Discord bot", r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}"),
    ("Discord webhook", r"discord(?:app)?\.com/api/webhooks/\d{15,22}/[\w-]{40,90}"),
    ("Teams webhook", r"[\w-]{1,40}\.webhook\.office\.com/webhookb2/[\w@/-]{60,250}"),
    ("Telegram bot", r"\d{8,10}:A[\w-]{34}"),
    ("Facebook", r"EAA[A-Za-z0-9]{30,300}"),
    ("Twitter", r"A{16,22}[\w%]{60,110}"),
    ("Mailgun", r"key-[0-9a-f]{32}"),
    ("Mailchimp", r"[0-9a-f]{32}-us\d{1,2}"),
    ("SendGrid", r"SG\.[\w-]{20,24}\.[\w-]{39,50}"),
    ("SendinBlue", r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    ("Twilio", r"(?:SK|AC)[0-9a-f]{32}"),
    ("Resend", r"re_[A-Za-z0-9]{6,10}_[A-Za-z0-9]{20,30}"),
    # money
    ("Stripe", r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,250}"),
    ("Stripe webhook", r"whsec_[A-Za-z0-9+/=]{24,64}"),
    ("Square", r"(?:sq0(?:atp|csp|idp)-[\w-]{22,43}|EAAA[\w-]{60})"),
    ("Shopify", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("Razorpay", r"rzp_(?:live|test)_[A-Za-z0-9]{14}"),
    ("Adyen", r"AQE[\w+/]{60,300}={0,2}"),
    # tools
    ("Notion", r"(?:ntn_[A-Za-z0-9]{40,50}|secret_[A-Za-z0-9]{43})"),
    ("Linear", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,64}"),
    ("Figma", r"fig[duor]_[\w-]{36,60}"),
    ("Postman", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("Airtable", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    ("Asana", r"\d/\d{15,17}(?:/\d{15,17})?:[0-9a-f]{32}"),
    ("HubSpot", r"pat-(?:na|eu|ap)\d-[0-9a-f-]{36}"),
    ("Typeform", r"tfp_[\w-]{40,60}"),
    ("Dropbox", r"sl\.[uA-Za-z0-9][\w-]{100,1500}"),
    ("Mapbox secret", r"sk\.eyJ[\w-]{50,200}\.[\w-]{20,24}"),
    ("1Password", r"ops_eyJ[\w-]{100,2000}"),
    ("age", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    ("Tailscale", r"tskey-[a-z]{3,10}-[A-Za-z0-9]{8,20}(?:-[A-Za-z0-9]{16,40})?"),
    ("ngrok", r"(?:2[A-Za-z0-9]{26}_[A-Za-z0-9]{20,22}|ak_2[A-Za-z0-9]{26})"),
    ("PostHog", r"ph[cx]_[A-Za-z0-9]{32,64}"),
    ("JSON web token", r"eyJ[\w-]{8,4000}\.[\w-]{4,16000}\.[\w-]{0,4000}(?:\.[\w-]{1,8000}){0,2}"),
)

NAMES: tuple[str, ...] = tuple(name for name, _ in _TOKENS)
"""The providers that are known, in no order."""

# a letter or digit before it means the middle of another word; after it, that it is longer than a
# token of that kind, unless the token's alphabet took all there was
TOKEN = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(form for _, form in _TOKENS)})(?![A-Za-z0-9])")
"""Any of the tokens."""
