# archsim on a CPU:  docker build -t archsim . && docker run --rm -v "$PWD":/work archsim map vgg8
FROM python:3.11-slim
ENV PIP_NO_CACHE_DIR=1 PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
COPY . /src
RUN python -m pip install --constraint /src/constraints.txt torch \
 && python -m pip install --constraint /src/constraints.txt "/src[search,cluster,onnx]" \
 && rm -rf /src
WORKDIR /work
ENTRYPOINT ["archsim"]
CMD ["--help"]
