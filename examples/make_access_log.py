"""Makes access.log.gz, the sample of the README. Its requests are invented, and its addresses and names are reserved for documentation."""
import random, datetime, gzip
random.seed(7)
hosts=["192.0.2.%d"%i for i in range(1,60)]+["198.51.100.%d"%i for i in range(1,40)]+["203.0.113.%d"%i for i in (5,9,77)]+["2001:db8::%x"%i for i in range(1,20)]
pages=["/","/index.html","/about","/products","/products/%d","/cart","/checkout","/api/v1/orders/%d","/api/v1/search?q=%s","/static/app.js","/static/site.css","/images/logo.png","/favicon.ico","/robots.txt","/blog/2024/%02d/how-we-count-lines"]
words=["lamp","desk","paper+clip","caf%C3%A9","rope","kettle"]
agents=["Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36","Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1","curl/8.8.0","ExampleBot/1.0 (+http://www.example.com/bot)"]
t=datetime.datetime(2024,5,17,8,0,0)
out=[]
for i in range(5000):
    t+=datetime.timedelta(seconds=random.expovariate(1/3.0))
    p=random.choice(pages)
    if "%d" in p: p=p%random.randint(1,400)
    elif "%s" in p: p=p%random.choice(words)
    elif "%02d" in p: p=p%random.randint(1,12)
    m="POST" if p in("/cart","/checkout") and random.random()<.7 else "GET"
    s=random.choices([200,304,301,404,500,403],[80,9,3,6,1,1])[0]
    b="-" if s==304 else str(random.randint(180,90000))
    ref=random.choice(["-","http://www.example.com/","http://www.example.org/links?from=list","http://shop.example.net/products"])
    ident="-"; user=random.choice(["-"]*30+["ana","li"])
    out.append('%s %s %s [%s +0000] "%s %s HTTP/%s" %d %s "%s" "%s"'%(random.choice(hosts),ident,user,t.strftime("%d/%b/%Y:%H:%M:%S"),m,p,random.choice(["1.1","1.1","2.0"]),s,b,ref,random.choice(agents)))
out.insert(2345,'198.51.100.23 - - [17/May/2024:09:57:12 +0000] "GET /cut-short-by-a-full-dis')
data=("\n".join(out)+"\n").encode()
with open("access.log.gz","wb") as f:
    f.write(gzip.compress(data,9,mtime=0))
print(len(out),len(data))
